"""The audit log: entries in a chain, signed checkpoints, export and verification."""
