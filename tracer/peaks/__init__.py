"""What a device can do at best."""
