"""Somebody's list, read and taken in row by row."""
