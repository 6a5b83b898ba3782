"""The ledger: every delivery, its state and the transitions allowed."""
