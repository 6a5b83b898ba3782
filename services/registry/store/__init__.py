"""The registry's tables and what is read from them."""
