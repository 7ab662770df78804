"""The event table, the records that cross between processes, and the event that rules see."""
