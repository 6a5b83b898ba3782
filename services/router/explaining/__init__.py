"""What a policy does, as a council reads it: a person in memory walked through it, tables, two policies compared."""
