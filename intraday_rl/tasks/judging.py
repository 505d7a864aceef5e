"""Options of the tasks that judge finished runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from intraday_rl.errors import ConfigError, check_range


@dataclass(slots=True, kw_only=True)
class CostSurface:
    """Replay a finished run under other costs; the policy stays as it was trained.

    | field | unit |
    |---|---|
    | `run` | key (or its beginning) or folder of the run |
    | `slippage_bps` | bps a side, in place of the trained slippage |
    | `commission_scales` | multiples of the trained commission |
    | `impact_coefficients` | Y of the square-root law; 0 alone where volume is unknown |
    """

    run: str = "???"
    slippage_bps: list[float] = field(default_factory=lambda: [i / 4 for i in range(41)])
    commission_scales: list[float] = field(default_factory=lambda: [i / 5 for i in range(11)])
    impact_coefficients: list[float] = field(default_factory=lambda: [0.0, 0.25, 0.5, 0.75, 1.0])

    def __post_init__(self) -> None:
        for key in ("slippage_bps", "commission_scales", "impact_coefficients"):
            if not getattr(self, key):
                raise ConfigError(key, [], "needs at least one value")
            for value in getattr(self, key):
                check_range(key, value, 0.0, 1_000.0)


@dataclass(slots=True, kw_only=True)
class Audit:
    """Prove by perturbation that no number of a finished run looks ahead.

    | field | unit |
    |---|---|
    | `run` | key (or its beginning) or folder of the run |
    | `samples` | times drawn in each split of each fold, beside half days and clock changes |
    | `seed` | of the times and of the scrambled prices |
    """

    run: str = "???"
    samples: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("samples", self.samples, 1, 100_000)
        check_range("seed", self.seed, 0, 2**32 - 1)


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the winner of everything that was tried is worth.

    | field | what |
    |---|---|
    | `sweep` | one or a list: folder, id (or its beginning) under `paths.outputs/sweeps`, or a |
    |         | tag `name=value` of the runs under `paths.outputs`, such as `symbol=SPY` |
    | `runs` | keys (or their beginnings) or folders of further runs |
    """

    sweep: Any = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        named = self.sweep if isinstance(self.sweep, list) else [self.sweep]
        # An id begins with its date, which a command line reads as a number.
        named = [str(one) if type(one) is int else one for one in named]
        if not all(isinstance(one, str) and one for one in named):
            remedy = "must be a folder, an id, a tag or a list of them"
            raise ConfigError("sweep", self.sweep, remedy)
        self.sweep = named
