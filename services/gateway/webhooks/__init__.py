"""Tells departments that subscribed what was released: signed, in order, until they have it."""
