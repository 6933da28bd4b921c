"""What is worth knowing about a run: one file a finding, found by being here; what they are made of is in `rule`."""
