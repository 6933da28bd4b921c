"""What is worth knowing about a run."""
