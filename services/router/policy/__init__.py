"""Holds the rules of a policy and the engine that applies them."""
