"""What a rule's match becomes: an alert with its secrets masked, repeats counted."""
