"""Visits: which team goes to which premises."""
