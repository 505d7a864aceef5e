"""A search's axes, written in Hydra's grammar: as distributions, as overrides, as corners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from intraday_rl.config import ConfigProblem
from intraday_rl.config.complaints import complaint
from intraday_rl.errors import ConfigError

SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Space:
    """`axes`: key -> what a trial draws from; `fixed`: overrides that all trials share."""

    axes: dict[str, BaseDistribution]
    fixed: list[str]

    def words(self, params: Mapping[str, object]) -> list[str]:
        """The overrides of one trial."""
        return [*self.fixed, *(f"{key}={_text(value)}" for key, value in params.items())]

    def corners(self) -> list[list[str]]:
        """Trials that together take every choice and both ends of every interval."""
        values = {key: _ends(axis) for key, axis in self.axes.items()}
        return [
            self.words({key: ends[number % len(ends)] for key, ends in values.items()})
            for number in range(max(map(len, values.values())))
        ]


def space_of(arguments: Sequence[str], params: Mapping[str, object]) -> Space:
    """The space of `hydra.sweeper.params`, each of which the command line replaces or fixes."""
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    try:
        of_file = parser.parse_overrides([f"{key}={value}" for key, value in params.items()])
        typed = parser.parse_overrides(list(arguments))
        names = {override.get_key_element() for override in typed}
        chosen = [one for one in of_file if one.get_key_element() not in names] + typed
        axes = {
            override.get_key_element(): distribution(override)
            for override in chosen
            if override.is_sweep_override()
        }
    except HydraException as error:
        raise complaint(error, arguments) from error
    if not axes:
        raise ConfigProblem(
            "the search has no axis; give one such as agent.gamma=interval(0.9,0.999)"
        )
    fixed = [str(one.input_line) for one in chosen if not one.is_sweep_override()]
    return Space(dict(sorted(axes.items())), fixed)


def distribution(override: Override) -> BaseDistribution:
    """What Optuna draws from for `key=interval(...)`, `range(...)`, `choice(...)` or `a,b`."""
    sweep = override.value()
    log = "log" in getattr(sweep, "tags", ())
    key, text = override.get_key_element(), str(override.input_line).partition("=")[2]
    if isinstance(sweep, IntervalSweep):
        assert sweep.start is not None
        assert sweep.end is not None
        low, high, step = sweep.start, sweep.end, None
    elif isinstance(sweep, RangeSweep):
        values = sorted(sweep.range())
        if not values:
            raise ConfigError(key, text, "has no values")
        low, high, step = values[0], values[-1], abs(sweep.step)
    else:
        choices = list(override.sweep_string_iterator())
        if log or not choices:
            raise ConfigError(key, text, "choices are not ordered" if log else "has no values")
        return CategoricalDistribution(list(dict.fromkeys(choices)))
    if log and step not in (None, 1):
        raise ConfigError(key, text, "tag log goes with an interval or a range of step 1")
    try:
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log, step=int(step or 1))
        return FloatDistribution(float(low), float(high), log=log, step=_float(step, log=log))
    except ValueError as error:
        raise ConfigError(key, text, str(error)) from error


def _float(step: float | None, *, log: bool) -> float | None:
    return None if step is None or log else float(step)


def _ends(axis: BaseDistribution) -> list[object]:
    if isinstance(axis, CategoricalDistribution):
        return list(axis.choices)
    assert isinstance(axis, IntDistribution | FloatDistribution)
    return [axis.low, axis.high]


def _text(value: object) -> str:
    """A value as an override; the texts of choices are written as they were typed."""
    return value if isinstance(value, str) else repr(value)
