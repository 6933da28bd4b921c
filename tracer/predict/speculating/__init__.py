"""What a round of speculative decoding would take, and yield."""
