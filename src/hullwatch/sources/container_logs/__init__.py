"""What containers write to their standard output and error, from the files of engines and the wrappers of clouds."""
