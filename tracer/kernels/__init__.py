"""What the name of a kernel says of its work."""
