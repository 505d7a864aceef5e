"""The account's own state in the observation."""

from __future__ import annotations

from enum import Enum


class AccountColumn(Enum):
    """Account state the agent may observe, in the order of the observation."""

    position = "position"
    unrealised_return = "unrealised_return"
    minutes_held = "minutes_held"
    reward_moments = "reward_moments"


def account_columns(chosen: tuple[AccountColumn, ...]) -> tuple[str, ...]:
    """Observation names of the chosen account state."""
    names: list[str] = []
    for column in chosen:
        if column is AccountColumn.reward_moments:
            names += ["reward_moment_a", "reward_moment_b"]
        else:
            names.append(column.value)
    return tuple(names)
