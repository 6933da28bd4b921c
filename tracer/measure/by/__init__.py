"""What device time can be broken down by: one file each, by its name; no other file is in here."""
