"""Pages for officers, residents and operators."""
