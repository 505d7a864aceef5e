"""Who sells bars: one small protocol, and each vendor behind its own client library."""
