"""Ranks of one run: their collectives matched, their clocks aligned, and who waits for whom."""
