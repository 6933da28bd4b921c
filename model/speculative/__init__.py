"""Speculative decoding with two staged models: one drafts tokens, the other checks them."""
