"""What an audit compared and what it objects to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from intraday_rl.research.audit.knowledge import STAGES, Numbers, at_close, spell

# Moved although it was known; may only follow from that; stayed although it had to move; a rule.
CHANGED, FOLLOWS, UNCHANGED, CHECK = "changed", "follows", "unchanged", "check"


@dataclass(slots=True)
class Finding:
    """A number that changed although it was known, or stayed although it had to change.

    `count`: how often this stage and name were met; the rest describes the first time.
    """

    proof: str
    stage: str
    name: str
    where: str
    time: str
    before: float | None
    after: float | None
    said: str
    count: int = 1


@dataclass(slots=True)
class Compared:
    """How many values (or questions) there were, and how many answers were wrong."""

    asked: int = 0
    wrong: int = 0


@dataclass(slots=True)
class Findings:
    """The audit's books: counts per stage, probe and check; findings by their first occurrence."""

    stages: dict[str, Compared] = field(
        default_factory=lambda: {name: Compared() for name in STAGES}
    )
    probes: dict[str, Compared] = field(default_factory=dict)
    checks: dict[str, Compared] = field(default_factory=dict)
    found: dict[tuple[str, str, str], Finding] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.found

    def in_order(self) -> list[Finding]:
        """Origins first, in the order of the pipeline; then what may only follow from them."""
        origins = {(one.stage, one.name) for one in self.found.values() if one.proof == CHANGED}
        shown = [
            one
            for one in self.found.values()
            if one.proof != FOLLOWS or (one.stage, one.name) not in origins
        ]
        proofs, stages = (CHANGED, UNCHANGED, CHECK, FOLLOWS), [*STAGES]
        return sorted(
            shown,
            key=lambda one: (
                proofs.index(one.proof),
                stages.index(one.stage) if one.stage in stages else len(stages),
            ),
        )

    def compare(
        self, pairs: Iterable[tuple[Numbers, Numbers]], instant: int, where: str, *, follows: bool
    ) -> bool:
        """Count every value known by `instant`; True when all of them are bit-equal.

        Where several numbers moved, the one that was known first is the origin, with its whole
        stage; the others may follow from it, as all do if `follows`.
        """
        moved: list[tuple[int, Numbers, Numbers, int]] = []
        for one, other in pairs:
            known = one.known_by(instant)
            self.stages[one.stage].asked += known
            at = one.first_difference(other.values, known)
            if at is not None:
                self.stages[one.stage].wrong += 1
                moved.append((int(one.known[at]), one, other, at))
        if not moved:
            return True
        _, origin, _, _ = min(moved, key=lambda one: (one[0], STAGES.index(one[1].stage)))
        for _, one, other, at in moved:
            is_origin = one.stage == origin.stage and not follows
            time = spell(int(at_close(one.time[at])))
            said = f"its value of {time.partition(',')[0]} moved with prices after {spell(instant)}"
            values = _plain(one.values, at), _plain(other.values, at)
            proof = CHANGED if is_origin else FOLLOWS
            self._object(Finding(proof, one.stage, one.name, where, spell(instant), *values, said))
        return False

    def probe(
        self,
        probe: str,
        pairs: Sequence[tuple[Numbers, Numbers]],
        at: int,
        where: str,
        said: str,
    ) -> None:
        """Object unless at least one of the pairs differs at position `at`."""
        books = self.probes.setdefault(probe, Compared())
        books.asked += 1
        if any(one.values[at].tobytes() != other.values[at].tobytes() for one, other in pairs):
            return
        books.wrong += 1
        first = pairs[0][0]
        value, time = _plain(first.values, at), spell(int(at_close(first.time[at])))
        name = ", ".join(one.name for one, _ in pairs)
        self._object(Finding(UNCHANGED, first.stage, name, where, time, value, value, said))

    def check(self, name: str, where: str, objection: str | None) -> None:
        """A rule that holds (no objection) or does not."""
        books = self.checks.setdefault(name, Compared())
        books.asked += 1
        if objection is not None:
            books.wrong += 1
            self._object(Finding(CHECK, name, name, where, "", None, None, objection))

    def as_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return {
            "stages": {name: asdict(books) for name, books in self.stages.items()},
            "probes": {name: asdict(books) for name, books in self.probes.items()},
            "checks": {name: asdict(books) for name, books in self.checks.items()},
            "findings": [asdict(finding) for finding in self.in_order()],
        }

    def _object(self, finding: Finding) -> None:
        key = (finding.proof, finding.stage, finding.name)
        if key in self.found:
            self.found[key].count += 1
        else:
            self.found[key] = finding


def _plain(values: Any, at: int) -> float | None:
    """A value as JSON writes it; null for a row that is not there or a number that is none."""
    if at >= len(values) or not np.isfinite(values[at]):
        return None
    return float(values[at])
