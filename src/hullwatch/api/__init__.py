"""What verbs ask and decide, by the store or by the instance that runs, which answers it on a socket."""
