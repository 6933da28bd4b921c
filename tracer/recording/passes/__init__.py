"""The passes of a recording."""
