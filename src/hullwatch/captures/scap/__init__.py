"""Captures of sysdig, Falco and Stratoshark (.scap): blocks, events, and the state that they tell of."""
