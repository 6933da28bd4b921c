"""Many traces as one store of tables: read by many processes, never twice, and asked in SQL."""
