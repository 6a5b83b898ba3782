"""Volunteers with a skill, called out to a visit."""
