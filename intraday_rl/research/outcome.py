"""What a task is given besides its plan, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from intraday_rl.plan import Plan
from intraday_rl.saved_plan import SavedPlan


@dataclass(frozen=True, slots=True)
class Context:
    """What only the entry can provide: research knows no Hydra.

    `record`: the plan as written down; `command`: what was typed; `reload`: plan.yaml -> plan.
    """

    record: SavedPlan
    command: Sequence[str]
    reload: Callable[[str], Plan]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`score`: the first fold's validation score, never a test score; NaN when there is none.

    `code`: 0 done, 1 a fold failed, 2 configuration, 3 data.
    """

    score: float
    code: int
    run_key: str | None = None
