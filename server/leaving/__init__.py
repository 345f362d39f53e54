"""Everything of an account as one archive, and an account gone with everything of its own."""
