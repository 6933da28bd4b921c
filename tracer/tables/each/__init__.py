"""The tables: one file each, by its name; no other file is in here."""
