"""How decode steps are made, and how those that transformers makes are told apart."""
