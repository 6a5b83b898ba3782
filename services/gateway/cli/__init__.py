"""Verdicts and views of alerts for the command line."""
