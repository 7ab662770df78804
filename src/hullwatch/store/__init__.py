"""What is kept of alerts: the alerts themselves, issues, incidents, and what people decided about them."""
