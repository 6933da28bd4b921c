"""Energy of a device: its counter, read while stages are repeated."""
