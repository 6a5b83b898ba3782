"""The providers of each driver: which are installed, how fast, how much, whether they work."""
