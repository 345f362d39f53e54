"""What `scripts/soak` is made of: the server, the people who come and go, and the verdict."""
