"""A warning as it comes in: identity, texts, signature, chain, quarantine."""
