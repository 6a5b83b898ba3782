"""Coverage, live page, one path in words."""
