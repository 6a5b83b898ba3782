"""The CAP documents published under our own name."""
