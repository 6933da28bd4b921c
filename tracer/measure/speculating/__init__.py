"""Speculative decoding: rounds, what each model did, and what it pays."""
