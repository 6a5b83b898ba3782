"""What a driver, a driver, an outgoing message and an outcome are."""
