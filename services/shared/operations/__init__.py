"""What an operator watches: health, figures, the clock, the soundness of the database."""
