"""Sending: claim, intent, call, outcome."""
