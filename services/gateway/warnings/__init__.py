"""What an authority does with a warning: admit, decide, release, end."""
