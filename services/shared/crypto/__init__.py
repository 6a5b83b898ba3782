"""Sealed addresses and the keys that seal and open them."""
