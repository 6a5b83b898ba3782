"""Replies from phones and pages: whose they are and what they mean."""
