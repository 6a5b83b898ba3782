"""What is known of a person: what was given, facts, need groups."""
