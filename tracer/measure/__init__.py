"""What charged work says: runs of stages, one file a measure."""
