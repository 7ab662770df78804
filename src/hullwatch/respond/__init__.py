"""What is done about an alert where the configuration says so: by the supervisor, within limits, with a way back."""
