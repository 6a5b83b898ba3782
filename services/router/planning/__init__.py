"""Plans: a warning and a person become steps and deliveries."""
