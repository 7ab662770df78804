"""Where events and metadata come from."""
