"""A real Kubernetes API server, built from Debian's source, to hold Hullwatch against."""
