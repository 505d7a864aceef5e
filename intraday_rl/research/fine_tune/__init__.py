"""`task=fine_tune`: train a model further on recent days, and let a gate decide whether to use it.

Agent, reward, features and environment are those of the model's bundle; data, tracking and paths
those of the command line. Order of time: tuning sessions, then held-out sessions, then now.
"""
