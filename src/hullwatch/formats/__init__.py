"""How things are written: pure functions from alerts and counters to text."""
