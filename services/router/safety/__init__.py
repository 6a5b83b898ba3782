"""Whoever is out at doors: when their next sign of life is due, and what is done where it does not come."""
