"""What `make install` made on this machine, and taking it away again."""
