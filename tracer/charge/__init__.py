"""A `Trace` becomes work that is charged: to launches, to stages, and every nanosecond of every device to an op."""
