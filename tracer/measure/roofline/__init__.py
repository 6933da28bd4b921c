"""How far each stage is from what its device could do."""
