"""Accounts: the people of the authorities, what they are granted, and how each shows who they are."""
