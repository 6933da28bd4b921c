"""One HTML page: the parts of the reports, and beside them what can be looked at: charts, a timeline, a table."""
