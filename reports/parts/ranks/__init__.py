"""Parts of the report on the ranks of one run."""
