"""HTTP and WebSocket. The only package that waits for a network."""
