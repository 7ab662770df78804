"""What rules need of the audit log, and what an API server's audit policy lets them have of it."""
