"""Drift: is what a container runs a file of its image? What is asked, and the process that finds out."""
