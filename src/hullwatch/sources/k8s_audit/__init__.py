"""Events of the Kubernetes API: from the API server's webhook and log files, and from what the clouds make of them."""
