"""Commands a developer runs: set-up, checks, locks, and the documents made from code."""
