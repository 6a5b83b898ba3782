"""One file a channel: its settings, its provider's code table, how it sends and how its callbacks read."""
