"""SMS over SMPP 3.4."""
