"""Areas and coordinates."""
