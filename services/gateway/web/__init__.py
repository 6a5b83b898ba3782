"""Console, API and public pages."""
