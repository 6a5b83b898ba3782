"""Searches for single people, each audited."""
