"""What is known around an event: the process tree and the containers."""
