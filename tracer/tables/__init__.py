"""The trace and its summary as tables: columns, units and keys, for files, SQL and data frames."""
