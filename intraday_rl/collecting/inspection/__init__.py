"""What stored or given bars hold, and where two sources of the same symbol differ."""
