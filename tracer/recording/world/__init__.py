"""Several processes that record one run together, a rank each: started, held in step, and ended together."""
