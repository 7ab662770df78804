"""What is found in the events."""
