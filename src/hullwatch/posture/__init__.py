"""What a cluster allows: who may do what, what of it is dangerous, and what is open to the outside."""
