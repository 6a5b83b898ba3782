"""CAP feeds of others, fetched and read."""
