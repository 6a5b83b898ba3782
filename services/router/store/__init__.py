"""The router's tables."""
