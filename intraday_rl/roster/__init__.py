"""Which agents there are, what they were told, and how their sessions stand: one SQLite file."""
