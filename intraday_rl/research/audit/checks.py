"""What must hold without any perturbation: spans, splits, choices, and what travels in a bundle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise

from intraday_rl import dataset as pipeline
from intraday_rl.agents.bundle import Bundle
from intraday_rl.dataset import Fold
from intraday_rl.errors import DataError, ModelError
from intraday_rl.market import windows as splitter
from intraday_rl.market.scaling import Scaler
from intraday_rl.market.windows import Window
from intraday_rl.plan import Plan
from intraday_rl.research.audit.findings import Findings
from intraday_rl.research.audit.perturb import truncated
from intraday_rl.research.audit.playback import open_market


def check_windows(
    plan: Plan, windows: Sequence[Window], available: Sequence[date], findings: Findings
) -> None:
    """Order and distance of the spans of every fold, tests of all folds, the rule of choice."""
    purge = getattr(plan.windows, "purge_sessions", 0)
    for window in windows:
        spans = _spans(window)
        findings.check("split order", window.name, _order(spans))
        first, second = window.fit[-1], window.validation.sessions[0]
        between = _between(available, first, second)
        findings.check(
            "embargo",
            window.name,
            _too_close(between, plan.windows.embargo_sessions, "windows.embargo_sessions"),
        )
        if window.test is not None:
            between = _between(available, window.train.last_session, window.test.first_session)
            findings.check("purge", window.name, _too_close(between, purge, "purge_sessions"))
    for earlier, later in pairwise(windows):
        findings.check("test overlap", f"{earlier.name}, {later.name}", _overlap(earlier, later))
    for k, window in enumerate(windows):
        if window.test is not None:
            findings.check("choice rule", window.name, _choice(windows, k))


def _spans(window: Window) -> dict[str, tuple[date, ...]]:
    spans = {
        "fit": window.fit,
        "first validation half": window.validation_first_half,
        "second validation half": window.validation_second_half,
    }
    if window.test is not None:
        spans["test"] = window.test.sessions
    return spans


def _order(spans: dict[str, tuple[date, ...]]) -> str | None:
    """Every span is ordered and ends before the next begins; so no two share a session."""
    last, before = None, ""
    for name, days in spans.items():
        for day in days:
            if last is not None and day <= last:
                return f"{name}: session {day} does not lie after {last} of the {before}"
            last, before = day, name
    return None


def _between(available: Sequence[date], first: date, second: date) -> int:
    return sum(first < day < second for day in available)


def _too_close(between: int, wanted: int, key: str) -> str | None:
    return None if between >= wanted else f"{between} sessions lie between, {key}={wanted}"


def _overlap(earlier: Window, later: Window) -> str | None:
    if earlier.test is None or later.test is None:
        return None
    first, second = earlier.test.last_session, later.test.first_session
    return None if first < second else f"one test ends {first}, the next begins {second}"


def _choice(windows: Sequence[Window], k: int) -> str | None:
    """No session whose score may choose for test k lies in test k, or after its beginning."""
    test = windows[k].test
    try:
        folds = splitter.choice_folds(windows, k)
    except DataError as error:
        return str(error)
    if test is None:
        return None
    for fold in folds:
        last = windows[fold].validation.last_session
        if last >= test.first_session:
            return (
                f"the validation of fold {windows[fold].name} ends {last}, the test it chooses "
                f"for begins {test.first_session}"
            )
    return None


def known_at_fit(fold: Fold) -> Fold:
    """The fold fitted on bars that end with its last fitted session.

    The session anchor (VWAP or open) is taken over: it is decided once per run, from whether the
    bars have volume and not from what they say.
    """
    dataset = fold.dataset
    plan = replace(dataset.plan, features=dataset.features)
    early = truncated(dataset.market, fold.window.fit[-1])
    return pipeline.open_fold(open_market(plan, early), fold.window)


def check_fit(fold: Fold, early: Fold, bundle: Bundle, where: str, findings: Findings) -> None:
    """Scaler, first moments and schema of a bundle are those of bars that end with the fit."""
    scaler = Scaler.from_dict(bundle.scaler)
    findings.check("scaler span", where, next(_scaler_differences(scaler, early.scaler), None))
    found = (bundle.card.a0, bundle.card.b0, bundle.card.facts.get("downside0"))
    expected = (early.moments.first, early.moments.second, early.moments.downside)
    findings.check(
        "moments span",
        where,
        None if found == expected else f"the bundle starts from {found}, the fit gives {expected}",
    )
    findings.check("schema", where, _schema(fold, bundle))
    outside = sorted(set(fold.dates(pipeline.Split.train)) - set(fold.window.fit))
    findings.check(
        "train sessions",
        where,
        f"session {outside[0]} is trained on and lies outside the fit" if outside else None,
    )
    dates = (bundle.card.facts.get("train_end"), bundle.card.facts.get("validation_end"))
    declared = (str(fold.window.fit[-1]), str(fold.window.validation.last_session))
    findings.check(
        "bundle dates",
        where,
        None if dates == declared else f"the card says {dates}, the window {declared}",
    )


def _scaler_differences(found: Scaler, expected: Scaler) -> Iterator[str]:
    if found.names != expected.names:
        yield f"its columns are {found.names}, the fit gives {expected.names}"
        return
    for what in ("centre", "scale"):
        columns = zip(found.names, getattr(found, what), getattr(expected, what), strict=True)
        for name, ours, theirs in columns:
            if ours != theirs:
                yield f"{what} of {name}: the bundle has {float(ours)!r}, the bars up to the \
last fitted session give {float(theirs)!r}"
    if found.as_dict() != expected.as_dict():
        yield "clip or list of constant columns differ from those of the fit"


def _schema(fold: Fold, bundle: Bundle) -> str | None:
    try:
        fold.schema().check(bundle.schema)
    except ModelError as error:
        return str(error)
    return None


def check_sessions(
    recorded: Sequence[date], allowed: Sequence[date], what: str, where: str, findings: Findings
) -> None:
    """A ledger holds the sessions of its split from the first on, and no others."""
    same = list(recorded) == list(allowed)[: len(recorded)] and len(recorded) > 0
    objection = None if same else f"the {what} ledger holds other sessions than its split"
    findings.check("ledger sessions", where, objection)
