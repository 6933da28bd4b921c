"""The file that a recording leaves."""
