"""What a task is given besides its plan, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from intraday_rl.plan import Plan
from intraday_rl.saved_plan import SavedPlan

# (window, seed, decisions so far, validation Sharpe just measured) -> end the job now?
StopEarly = Callable[[str, int, int, float], bool]


@dataclass(frozen=True, slots=True)
class Context:
    """What only the entry can provide: research knows no Hydra.

    `record`: the plan as written down; `command`: what was typed; `reload`: plan.yaml -> plan;
    `stop_early`: asked in this process at every look at a policy, by whoever searches; `tags`:
    what it wants to be seen beside the results; `defaults`: what would be written down if nothing
    had been typed.
    """

    record: SavedPlan
    command: Sequence[str]
    reload: Callable[[str], Plan]
    stop_early: StopEarly | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    defaults: Callable[[], SavedPlan] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`score`: the first fold's validation score, never a test score; NaN when there is none.

    `code`: 0 done, 1 a fold failed, 2 configuration, 3 data; `stopped_early`: by `stop_early`.
    """

    score: float
    code: int
    run_key: str | None = None
    stopped_early: bool = False
