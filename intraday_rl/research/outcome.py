"""What a job hands back: a score for a sweeper, a status for the shell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """`score`: the first fold's validation score, never a test score; NaN when there is none.

    `code`: 0 done, 1 a fold failed, 2 configuration, 3 data.
    """

    score: float
    code: int
    run_key: str | None = None
