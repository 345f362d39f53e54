"""What must survive a crash: PostgreSQL, the update log, accounts."""
