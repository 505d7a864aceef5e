"""Walk-forward experiments for intraday reinforcement learning: net of every cost, flat by 15:45.

Importing the package registers the Gymnasium ids by name and loads nothing heavy.
"""

from gymnasium.envs.registration import register

register(
    id="intraday_rl/Trading-v0",
    entry_point="intraday_rl.gym:make_env",
    vector_entry_point="intraday_rl.gym:make_vector_env",
)
