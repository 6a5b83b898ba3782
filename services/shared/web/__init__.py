"""The web edge every service shares: routes, sign-in, signed links, limits on connections."""
