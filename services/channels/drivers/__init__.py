"""One file a driver: its settings, its provider's code table, how it sends and how its callbacks read."""
