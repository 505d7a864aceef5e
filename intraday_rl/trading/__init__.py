"""What does acting cost? Cost parts, the session rule, the accounts, and the ledger they write."""
