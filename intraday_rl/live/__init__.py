"""Acting now: one session at a time, by the functions that judge a backtest."""
