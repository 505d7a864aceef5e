"""The Gymnasium ids: compose a plan from overrides and hand out its environment."""

from __future__ import annotations

from collections.abc import Sequence

from intraday_rl.config import compose_plan
from intraday_rl.dataset import Split, open_dataset, open_fold
from intraday_rl.errors import ConfigError
from intraday_rl.loading import resolve
from intraday_rl.trading.env import TradingEnv
from intraday_rl.trading.problem import Problem
from intraday_rl.trading.vector_env import TradingVectorEnv


def make_env(
    overrides: Sequence[str] = (), fold: int | str = 0, split: str = "train"
) -> TradingEnv:
    """One account: `gymnasium.make("intraday_rl/Trading-v0", overrides=["symbol=SPY", ...])`.

    | argument | what |
    |---|---|
    | `overrides` | as on the command line |
    | `fold` | number or name of the window |
    | `split` | `train` (random sessions, equity reset), `validation` or `test` (once, in order) |
    """
    return TradingEnv(_problem(overrides, fold, split))


def make_vector_env(
    num_envs: int = 1, overrides: Sequence[str] = (), fold: int | str = 0, split: str = "train"
) -> TradingVectorEnv:
    """Many accounts stepped in one compiled call; arguments as in `make_env`."""
    if num_envs < 1:
        raise ConfigError("num_envs", num_envs, "must be 1 or more")
    return TradingVectorEnv(_problem(overrides, fold, split), num_envs)


def _problem(overrides: Sequence[str], fold: int | str, split: str) -> Problem:
    splits = {one.value: one for one in Split}
    if split not in splits:
        raise ConfigError("split", split, f"choose one of {', '.join(splits)}")
    plan = compose_plan(overrides)
    resolved = resolve(plan)
    folds = {window.name: window for window in resolved.windows}
    numbered = dict(enumerate(resolved.windows))
    window = numbered.get(fold) if isinstance(fold, int) else folds.get(fold)
    if window is None:
        raise ConfigError("fold", fold, f"choose 0 to {len(folds) - 1} or {', '.join(folds)}")
    return open_fold(open_dataset(plan, resolved.market), window).problem(splits[split])
