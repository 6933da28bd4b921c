"""Reading: any trace file becomes one columnar `Trace`. Never imports torch."""
