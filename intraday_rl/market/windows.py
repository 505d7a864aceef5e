"""Walk-forward windows: THE only splitter. Every date of training, choice and test comes from here.

A fold learns and chooses on `train` (= fit, embargo, validation) and is judged on `test`::

    | fit ................ | embargo | validation | purge | test ...... |
                                      1st  |  2nd
                                checkpoint | score

The scaler, the reward's starting moments and the gradients see `fit` alone; the first half of
`validation` picks the checkpoint, the second scores, gates and decides abstention; `test` is
read once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from intraday_rl.errors import DataError
from intraday_rl.market.window_layout import (
    AnyWindows,
    Declared,
    declare,
    expected_dates,
    session_dates,
    within,
)
from intraday_rl.market.window_parts import (
    MINIMUM_VALIDATION_SESSIONS,
    AutoMode,
    AutoWindows,
    CanonicalWindows,
    ExplicitWindows,
    OnMissing,
)

__all__ = [
    "MINIMUM_FIT_SESSIONS",
    "AutoMode",
    "AutoWindows",
    "CanonicalWindows",
    "ExplicitWindows",
    "OnMissing",
    "Span",
    "Window",
    "choice_folds",
    "describe",
    "final_fit_window",
    "resolve",
    "resolve_with_notes",
    "served",
]

logger = logging.getLogger(__name__)

MINIMUM_FIT_SESSIONS = 20

_REMEDY = "use windows=auto to lay folds over what the data have, or data that reach further"
_OR_CLIP = ", or windows.on_missing=clip to keep the covered part"


@dataclass(frozen=True, slots=True)
class Span:
    """Declared dates (both included) and the sessions of the data that lie between them."""

    start: date
    end: date
    sessions: tuple[date, ...]

    @property
    def first_session(self) -> date:
        return self.sessions[0]

    @property
    def last_session(self) -> date:
        return self.sessions[-1]

    @property
    def count(self) -> int:
        return len(self.sessions)


@dataclass(frozen=True, slots=True)
class Window:
    """One fold: `train` as declared (validation included), `fit` what learns, `test` what judges.

    `test` is None for a final fit. `clipped`: data were missing at an end of the declared dates.
    The name is the test's declared dates, `until_<date>` for a final fit.
    """

    name: str
    train: Span
    fit: tuple[date, ...]
    validation: Span
    test: Span | None
    clipped: bool

    @property
    def validation_first_half(self) -> tuple[date, ...]:
        """Picks checkpoints."""
        return self.validation.sessions[: self.validation.count // 2]

    @property
    def validation_second_half(self) -> tuple[date, ...]:
        """Scores, gates and decides abstention; has the odd session."""
        return self.validation.sessions[self.validation.count // 2 :]


def resolve(windows: AnyWindows, available: pd.DatetimeIndex) -> list[Window]:
    """The folds over the sessions present in the data; logs a warning for each that is not whole.

    Raises `DataError` for an uncovered window (unless clipping) and for zero folds, always.
    """
    folds, notes = resolve_with_notes(windows, available)
    for note in notes:
        logger.warning(note)
    return folds


def resolve_with_notes(
    windows: AnyWindows, available: pd.DatetimeIndex
) -> tuple[list[Window], tuple[str, ...]]:
    """`resolve`, with what was clipped or dropped in plain words instead of in the log."""
    found = session_dates(available)
    if not found:
        raise DataError("windows: the data have no session")
    declared = declare(windows, found)
    expected = expected_dates(
        min(fold.train_start for fold in declared), max(fold.test_end for fold in declared)
    )
    for fold in declared:
        for role, start, end in fold.spans():
            if not within(expected, start, end):
                remedy = "the exchange was closed throughout; declare a longer span"
                raise DataError(f"window {fold.name}: {role} {start} to {end}: {remedy}")
    uncovered = [fold for fold in declared if fold.missing_ends(found, expected)]
    if uncovered and windows.on_missing is OnMissing.refuse:
        raise DataError(_refusal(uncovered, len(declared), found, expected))
    folds: list[Window] = []
    notes: list[str] = []
    for fold in declared:
        clipped = fold in uncovered or fold.partial
        train = Span(
            fold.train_start, fold.train_end, within(found, fold.train_start, fold.train_end)
        )
        test = Span(fold.test_start, fold.test_end, within(found, fold.test_start, fold.test_end))
        if clipped:
            notes.append(f"window {fold.name} is clipped: {fold.coverage(found, expected)}")
        held_out = windows.validation_sessions + windows.embargo_sessions
        too_short = train.count - held_out < MINIMUM_FIT_SESSIONS
        if fold in uncovered and (test.count == 0 or too_short):
            left = "too few sessions to fit" if too_short else "no test session"
            notes[-1] = f"window {fold.name} is dropped, {left}: {fold.coverage(found, expected)}"
            continue
        folds.append(
            _split(
                fold.name,
                train,
                test,
                windows.validation_sessions,
                windows.embargo_sessions,
                clipped=clipped,
            )
        )
    if not folds:
        raise DataError("\n".join(["windows: zero folds are left", *notes, _REMEDY]))
    return folds, tuple(notes)


def served(windows: AnyWindows, available: pd.DatetimeIndex) -> dict[str, str]:
    """Every declared window, and what the data lack of it: empty if they serve it whole."""
    found = session_dates(available)
    declared = declare(windows, found)
    expected = expected_dates(
        min(fold.train_start for fold in declared), max(fold.test_end for fold in declared)
    )
    lacking = {fold.name: fold.missing_ends(found, expected) for fold in declared}
    return {
        fold.name: f"{fold.coverage(found, expected)}; without the {' and the '.join(missing)}"
        if (missing := lacking[fold.name])
        else ""
        for fold in declared
    }


def _refusal(
    uncovered: Sequence[Declared], declared: int, found: Sequence[date], expected: Sequence[date]
) -> str:
    """Every uncovered window with its declared spans, beside what the data have."""
    lines = [f"windows: {len(uncovered)} of {declared} are not covered by the data"]
    for fold in uncovered:
        missing = " and the ".join(fold.missing_ends(found, expected))
        lines.append(f"  {fold.name}: {fold.coverage(found, expected)}; without the {missing}")
    lines.append(f"  data: {len(found)} sessions, {found[0]} to {found[-1]}")
    return "\n".join([*lines, _REMEDY + _OR_CLIP])


def final_fit_window(
    until: date, available: pd.DatetimeIndex, validation_sessions: int, embargo_sessions: int
) -> Window:
    """All sessions up to and including `until`, without a test: nothing here judges the agent.

    What is traded comes from this window and is judged by the walk-forward of its configuration.
    `clipped` (and a warning) when the data end before the last session on or before `until`.
    """
    found = [day for day in session_dates(available) if day <= until]
    if not found:
        raise DataError(f"task.until={until}: the data have no session on or before it")
    late = expected_dates(found[-1] + timedelta(days=1), until)
    if late:
        logger.warning("task.until=%s: the data end %s, before it", until, found[-1])
    span = Span(found[0], until, tuple(found))
    return _split(
        f"until_{until}", span, None, validation_sessions, embargo_sessions, clipped=bool(late)
    )


def choice_folds(windows: Sequence[Window], k: int) -> list[int]:
    """Folds whose validation scores may choose a configuration for the test of fold `k`.

    | when | what is known |
    |---|---|
    | before the first session of test k | the validation of folds 0 … k: all of them end before |
    | not before | the validation of fold k+1 (in expanding windows it lies inside test k) |

    Raises `DataError` when a validation of folds 0 … k does not end before test k begins, which
    `resolve` never returns: using it would choose by days on which the choice is judged.
    """
    if not 0 <= k < len(windows):
        raise IndexError(f"fold {k} of {len(windows)}")
    test = windows[k].test
    if test is None:
        raise DataError(f"window {windows[k].name} has no test to choose for")
    for window in windows[: k + 1]:
        if window.validation.end >= test.start:
            raise DataError(
                f"window {window.name}: validation ends {window.validation.end}, not before the "
                f"test of window {windows[k].name}; list the windows in the order of their tests"
            )
    return list(range(k + 1))


def describe(window: Window) -> dict[str, object]:
    """The window as plain JSON values: declared dates, first and last session, counts."""
    return {
        "name": window.name,
        "train": _describe(window.train),
        "validation": _describe(window.validation),
        "test": None if window.test is None else _describe(window.test),
        "fit_last_session": window.fit[-1].isoformat(),
        "clipped": window.clipped,
    }


def _describe(span: Span) -> dict[str, object]:
    return {
        "start": span.start.isoformat(),
        "end": span.end.isoformat(),
        "first_session": span.first_session.isoformat(),
        "last_session": span.last_session.isoformat(),
        "sessions": span.count,
    }


def _split(
    name: str,
    train: Span,
    test: Span | None,
    validation_sessions: int,
    embargo_sessions: int,
    *,
    clipped: bool,
) -> Window:
    """Cuts the train span from its end: validation, then the embargo, the rest is fitted."""
    validation_from = train.count - validation_sessions
    fit_to = validation_from - embargo_sessions
    if fit_to < MINIMUM_FIT_SESSIONS:
        largest = train.count - embargo_sessions - MINIMUM_FIT_SESSIONS
        remedy = "use a longer train span"
        if largest >= MINIMUM_VALIDATION_SESSIONS:
            remedy += f" or windows.validation_sessions={largest} or smaller"
        raise DataError(
            f"window {name}: train {train.start} to {train.end} has {train.count} sessions; "
            f"windows.validation_sessions={validation_sessions} and windows.embargo_sessions="
            f"{embargo_sessions} leave {max(fit_to, 0)} to fit, at least "
            f"{MINIMUM_FIT_SESSIONS} are needed: {remedy}"
        )
    held_out = train.sessions[validation_from:]
    validation = Span(held_out[0], train.end, held_out)
    return Window(name, train, train.sessions[:fit_to], validation, test, clipped)
