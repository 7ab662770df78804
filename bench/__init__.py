"""Speed and cost of Hullwatch, measured on this machine: ``python -m bench``."""
