"""Web push notifications."""
