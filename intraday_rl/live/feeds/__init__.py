"""Where a session's bars come from."""
