"""The policy: rules, the engine that applies them, and what a council reads of it."""
