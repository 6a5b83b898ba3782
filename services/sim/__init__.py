"""Stand-ins that speak the providers' protocols and press the real URLs; they never touch the ledger."""
