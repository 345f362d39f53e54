"""What `scripts/cluster`, `scripts/faults` and tests start: engines and nodes, each a process."""
