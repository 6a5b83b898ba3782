"""People of the register, read, changed and written back whole."""
