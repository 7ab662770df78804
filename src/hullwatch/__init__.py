"""Container security observability: watch, decide, explain."""

__version__ = "0.1.0"
