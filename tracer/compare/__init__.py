"""Summaries beside each other: documents only, no trace."""
