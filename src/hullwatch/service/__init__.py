"""What makes a run a service: its readiness, its pulse and its log."""
