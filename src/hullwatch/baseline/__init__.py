"""What is ordinary in a cluster, learnt from its audit events: what was never seen before is told with its reason."""
