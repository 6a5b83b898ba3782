"""Drafting: a warning is written as a sketch, read as what it would say and where, and handed in as a CAP alert."""
