"""A resident's own pages."""
