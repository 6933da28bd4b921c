"""Somebody's own code: files, functions and scripts."""
