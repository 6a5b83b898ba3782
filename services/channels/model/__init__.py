"""What a channel, a driver, an outgoing message and an outcome are."""
