"""What rules may ask of an event: one file per class of fields."""
