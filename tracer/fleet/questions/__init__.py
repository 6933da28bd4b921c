"""Ready questions, a file each, found by being there."""
