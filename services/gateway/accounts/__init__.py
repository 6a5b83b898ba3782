"""How people show who they are: passkeys, passwords with codes, and an office's own sign-in."""
