"""Keeps connections to a provider's HTTP server, and judges what comes of each request."""
