"""Residents register themselves, or somebody for them."""
