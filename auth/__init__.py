"""Who is asking and what may they do. Pure: the clock and randomness are handed in."""
