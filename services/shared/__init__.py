"""Holds what two services or more need: messages, ledger, database, clock, sealing, audit, web. Imports no service."""
