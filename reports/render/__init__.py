"""Renderers: blocks become text. Each knows the blocks and nothing of the documents that they were made of."""
