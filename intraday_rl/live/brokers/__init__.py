"""Who carries out a session's orders."""
