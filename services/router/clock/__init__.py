"""What the clock and the evidence change on open paths."""
