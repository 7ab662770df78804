"""The numbers of a running instance, for Prometheus."""
