"""One folder or file a driver: its settings, the provider's codes, how it sends and how its callbacks read."""
