"""A warning begins in the router, and a page of people opens paths."""
