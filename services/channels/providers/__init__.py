"""Knows the providers of each channel: which are installed, how fast, how much, whether they work."""
