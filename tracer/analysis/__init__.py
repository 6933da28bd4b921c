"""Analysis: a `Trace` becomes attribution, ledger, metrics, findings and at last a `Summary`."""
