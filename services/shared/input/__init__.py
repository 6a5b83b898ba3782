"""Input of strangers, bounded before it is read."""
