"""Renderers: a `Summary` becomes text. Nothing here computes."""
