"""What a user may say about walk-forward windows; `windows.py` makes folds of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from intraday_rl.errors import ConfigError, check_range
from intraday_rl.market.offsets import parse_date, parse_offset

MOST_SESSIONS_LEFT_OUT = 5_000
MINIMUM_VALIDATION_SESSIONS = 2  # one for the checkpoint, one for the score
FOLD_KEYS = ("train_start", "train_end", "test_start", "test_end")


class OnMissing(Enum):
    """What happens to a window whose first or last expected session is not in the data."""

    refuse = "refuse"
    clip = "clip"


class AutoMode(Enum):
    """`anchored`: train always begins at the first session; `rolling`: it keeps its length."""

    anchored = "anchored"
    rolling = "rolling"


@dataclass(slots=True, kw_only=True)
class CanonicalWindows:
    """Three expanding folds from 2018-01-01, tested on the years 2021, 2022 and 2023.

    | field | unit | meaning |
    |---|---|---|
    | `on_missing` | - | refuse a window the data does not cover, or clip it and say so |
    | `validation_sessions` | sessions | the last ones of each train span; no gradient, scaler \
or starting moment sees them |
    | `embargo_sessions` | sessions | left out between fit and validation, used by nobody |

    **Look-ahead.** Train expands, so the validation of a fold lies inside the test year of the
    fold before: its score must not choose anything that is judged there (see `choice_folds`).

    **Embargo.** Positions are flat every night, so no return reaches over a session border; the
    embargo covers features that still remember the last fitted session. Rule of thumb: the
    memory of the slowest feature in sessions (an EMA over 50 bars of 15 minutes: about two).

    >>> from datetime import date
    >>> from intraday_rl.market.calendar import sessions
    >>> from intraday_rl.market.windows import resolve
    >>> days = sessions(date(2018, 1, 1), date(2023, 12, 31)).index
    >>> for w in resolve(CanonicalWindows(), days):
    ...     chosen_on = w.validation
    ...     print(f"fit to {w.fit[-1]}, validation from {chosen_on.first_session}, test {w.name}")
    fit to 2020-07-01, validation from 2020-07-06, test 2021-01-01_2021-12-31
    fit to 2021-07-01, validation from 2021-07-06, test 2022-01-01_2022-12-31
    fit to 2022-06-30, validation from 2022-07-05, test 2023-01-01_2023-12-31
    """

    on_missing: OnMissing = OnMissing.refuse
    validation_sessions: int = 126
    embargo_sessions: int = 1

    def __post_init__(self) -> None:
        _check_counts(self.validation_sessions, self.embargo_sessions)


@dataclass(slots=True, kw_only=True)
class AutoWindows:
    """Folds laid out from the first session of the data, one `step` apart.

    | field | unit | meaning |
    |---|---|---|
    | `mode` | - | anchored: train grows; rolling: train keeps `train_size` and moves on |
    | `train_size` | offset | length of the first train span (of each, if rolling) |
    | `test_size` | offset | length of each test span |
    | `step` | offset or null | distance of two folds; null = `test_size` |
    | `purge_sessions` | sessions | left out between train and test, used by nobody |
    | `embargo_sessions` | sessions | left out between fit and validation, used by nobody |
    | `validation_sessions` | sessions | the last ones of each train span |
    | `on_missing` | - | refuse a window the data does not cover, or clip it and say so |
    | `allow_partial_last` | - | keep a last test span that the data does not fill (`clipped`) |

    An offset is a count of `sessions`, `days`, `weeks`, `months` or `years`. Sessions are the
    exchange's, so a hole in the data moves no border. Every border is counted from the first
    session (months, then days, then sessions): folds tile and do not drift at ends of months.

    **Look-ahead.** `purge_sessions` may be 0: a decision's return ends at the same day's exit, so
    no train target reaches into the test. Raise it for features or rewards of your own that look
    across nights. Rule of thumb: the number of nights they look across.

    A step shorter than the test is refused: the stitched series would hold a day twice.

    >>> from datetime import date
    >>> from intraday_rl.market.calendar import sessions
    >>> from intraday_rl.market.windows import resolve
    >>> days = sessions(date(2025, 5, 12), date(2025, 11, 28)).index
    >>> part = AutoWindows(train_size="4 months", test_size="1 month", validation_sessions=20)
    >>> for w in resolve(part, days):
    ...     print(f"train {w.train.start} to {w.train.end}, test {w.name}")
    train 2025-05-12 to 2025-09-11, test 2025-09-12_2025-10-11
    train 2025-05-12 to 2025-10-11, test 2025-10-12_2025-11-11
    """

    mode: AutoMode = AutoMode.anchored
    train_size: str = "2 years"
    test_size: str = "1 year"
    step: str | None = None
    purge_sessions: int = 0
    embargo_sessions: int = 1
    validation_sessions: int = 126
    allow_partial_last: bool = False
    on_missing: OnMissing = OnMissing.refuse

    def __post_init__(self) -> None:
        parse_offset("train_size", self.train_size)
        parse_offset("test_size", self.test_size)
        if self.step is not None:
            parse_offset("step", self.step)
        check_range("purge_sessions", self.purge_sessions, 0, MOST_SESSIONS_LEFT_OUT)
        _check_counts(self.validation_sessions, self.embargo_sessions)


@dataclass(slots=True, kw_only=True)
class ExplicitWindows:
    """Folds by their dates, in the order of their tests.

    | field | unit | meaning |
    |---|---|---|
    | `folds` | ISO dates | each `train_start, train_end, test_start, test_end`, inclusive |
    | `on_missing` | - | refuse a window the data does not cover, or clip it and say so |
    | `validation_sessions` | sessions | the last ones of each train span |
    | `embargo_sessions` | sessions | left out between fit and validation, used by nobody |

    **Look-ahead.** A test begins after its own train's end. The tests of different folds follow
    each other in time and do not overlap: the stitched series would hold a day twice, and the
    rule of choice (`choice_folds`) reads the order of the list as the order of time. Trains may
    overlap each other and earlier tests, as they do in expanding windows.

    >>> part = ExplicitWindows(folds=[dict(train_start="2018-01-01", train_end="2020-12-31",
    ...                                    test_start="2020-12-31", test_end="2021-12-31")])
    Traceback (most recent call last):
    intraday_rl.errors.ConfigError: folds[0].test_start=2020-12-31: must lie after \
train_end=2020-12-31
    """

    folds: list[dict[str, str]] = field(default_factory=list)
    on_missing: OnMissing = OnMissing.refuse
    validation_sessions: int = 126
    embargo_sessions: int = 1

    def __post_init__(self) -> None:
        _check_counts(self.validation_sessions, self.embargo_sessions)
        tested_to, tested_to_key = "", ""
        for number, fold in enumerate(self.folds):
            key = f"folds[{number}]"
            if set(fold) != set(FOLD_KEYS):
                raise ConfigError(key, sorted(fold), f"must have exactly {', '.join(FOLD_KEYS)}")
            for name in FOLD_KEYS:
                parse_date(f"{key}.{name}", fold[name])
            _check_order(key, fold, "train_start", "train_end", may_be_equal=True)
            _check_order(key, fold, "train_end", "test_start", may_be_equal=False)
            _check_order(key, fold, "test_start", "test_end", may_be_equal=True)
            if number and fold["test_start"] <= tested_to:
                remedy = f"must lie after {tested_to_key}={tested_to}: tests follow in time"
                raise ConfigError(f"{key}.test_start", fold["test_start"], remedy)
            tested_to, tested_to_key = fold["test_end"], f"{key}.test_end"


def _check_order(
    key: str, fold: dict[str, str], earlier: str, later: str, *, may_be_equal: bool
) -> None:
    first, second = parse_date(earlier, fold[earlier]), parse_date(later, fold[later])
    if second < first or (second == first and not may_be_equal):
        relation = "must not lie before" if may_be_equal else "must lie after"
        raise ConfigError(f"{key}.{later}", fold[later], f"{relation} {earlier}={fold[earlier]}")


def _check_counts(validation_sessions: int, embargo_sessions: int) -> None:
    check_range(
        "validation_sessions",
        validation_sessions,
        MINIMUM_VALIDATION_SESSIONS,
        MOST_SESSIONS_LEFT_OUT,
    )
    check_range("embargo_sessions", embargo_sessions, 0, MOST_SESSIONS_LEFT_OUT)
