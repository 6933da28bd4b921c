"""From a trace to its timeline document: what a page draws, bounded whatever the trace's size."""
