"""Staged models: the networks that `tracer record` can run, split into their inference stages.

Nothing here knows of tracing. Importing this package imports no network; see `model.registry`.
"""
