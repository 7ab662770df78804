"""Captures: the stream of records in a file, to be judged again later."""
