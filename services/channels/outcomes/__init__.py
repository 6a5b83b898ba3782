"""Outcomes and receipts, folded into the ledger."""
