"""The checks of ``hullwatch doctor``: one file for each thing that can be wrong."""
