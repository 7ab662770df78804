"""The state of a cluster: its objects from the API, from manifests or from the audit log, and what is read of them."""
