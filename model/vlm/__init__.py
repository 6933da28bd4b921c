"""Models that transformers has whole, LLaVA-1.5 and Video-LLaVA, cut into stages by what they have in common."""
