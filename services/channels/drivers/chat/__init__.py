"""Chat services and webhooks through Apprise."""
