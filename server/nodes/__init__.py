"""Many nodes, one document: what is committed here is told there, and what was missed is read.

Any node serves any document. The log is the truth; the bus (storage/bus) only says what is new.

- `exchange`: speaks and listens; knows which nodes live, and when something was missed.
- `following`: one room's place in the log: rows from elsewhere are applied in gap-free order.
- `checking`: compares open documents with the log, once something was missed, and again and again
  while the bus is away.
- `words`: what is said, as bytes.

A server without a bus has none of this.
"""
