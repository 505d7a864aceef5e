"""Perturb, play again, compare: whatever was known at an instant must not move afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intraday_rl import dataset as pipeline
from intraday_rl.dataset import Fold, Split
from intraday_rl.market.calendar import nanoseconds
from intraday_rl.market.sources import MarketData
from intraday_rl.research.audit.findings import Findings
from intraday_rl.research.audit.knowledge import (
    Numbers,
    at_close,
    at_open,
    feature_numbers,
    fitted_numbers,
)
from intraday_rl.research.audit.perturb import scrambled_market
from intraday_rl.research.audit.playback import Played, Player, open_market, play
from intraday_rl.research.audit.sample import Time


@dataclass(frozen=True, slots=True)
class Proof:
    """One split of one fold as it is: what every player saw, did and earned in it."""

    fold: Fold
    split: Split
    players: Sequence[Player]
    played: Sequence[Played]

    @classmethod
    def of(cls, fold: Fold, split: Split, players: Sequence[Player]) -> Proof:
        """Walk the split once with every player, on the bars as they are."""
        problem = fold.problem(split)
        everything = problem.eligible.size
        played = [play(fold.dataset, problem, player, everything) for player in players]
        return cls(fold, split, players, played)

    @property
    def where(self) -> str:
        """Fold and split, for people."""
        return f"{self.fold.window.name} {self.split.value}"

    def scramble(self, time: Time, seed: int, findings: Findings) -> None:
        """Replace everything after the row's close, then everything after the open beside it."""
        end = self.fold.dataset.tape.row_end[time.row].astype(np.int64)
        for instant in (int(at_close(end)), int(at_open(end))):
            market = scrambled_market(self.fold.dataset.market, instant, seed)
            other = self.fold_on(market)
            ours, theirs = fold_numbers(self.fold), fold_numbers(other)
            same = findings.compare(
                zip(ours, theirs, strict=True), instant, self.where, follows=False
            )
            self._check_reach(ours, theirs, instant, findings)
            for player, played in zip(self.players, self.played, strict=True):
                again = self.again(other, player, time)
                where = f"{self.where}, {player.name}"
                pairs = zip(played.numbers, again.numbers, strict=True)
                findings.compare(pairs, instant, where, follows=not same)

    def fold_on(self, market: MarketData) -> Fold:
        """The same fold, fitted anew, on other bars."""
        return pipeline.open_fold(open_market(self.fold.dataset.plan, market), self.fold.window)

    def again(self, fold: Fold, player: Player, time: Time) -> Played:
        """The walk of a player on another fold, to the end of the session of `time`."""
        problem = fold.problem(self.split)
        sessions = int(np.searchsorted(problem.eligible, time.session, side="right"))
        return play(fold.dataset, problem, player, sessions)

    def _check_reach(
        self, ours: list[Numbers], theirs: list[Numbers], instant: int, findings: Findings
    ) -> None:
        """A proof that scrambled nothing would prove nothing."""
        frame = self.fold.dataset.market.symbol.frame
        if at_close(nanoseconds(frame["bar_end"]))[-1] <= instant:
            return
        moved = any(
            one.first_difference(other.values, one.values.size) is not None
            for one, other in zip(ours, theirs, strict=True)
        )
        objection = None if moved else "scrambling the later bars moved no feature at all"
        findings.check("perturbation reaches the features", self.where, objection)


def fold_numbers(fold: Fold) -> list[Numbers]:
    """What a fold is before anyone plays in it: features, scaler, first moments."""
    return [*feature_numbers(fold.dataset), *fitted_numbers(fold)]
