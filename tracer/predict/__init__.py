"""What a request would take if something were different: documents only."""
