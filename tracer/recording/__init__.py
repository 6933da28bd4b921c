"""Recording: runs a staged model through the passes verify, clean and profiled, and writes the run."""
