"""Whether the broker has the position that our fills add up to."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum, auto

import pandas as pd

from intraday_rl.live.book import SessionBook
from intraday_rl.live.brokers.broker import Broker, BrokerUnavailable

logger = logging.getLogger(__name__)

# How long broker and journal may tell different positions: fills travel by two ways.
SETTLING = pd.Timedelta(seconds=5)
# A difference that nobody has looked at for so long is a new one when it is seen again.
LOOKED_AT_WITHIN = pd.Timedelta(seconds=30)


class Standing(Enum):
    """How the broker's position compares with what our fills add up to.

    | value | |
    |---|---|
    | `same` | |
    | `settling` | it differs, and may not soon |
    | `different` | the same difference has stayed |
    | `unknown` | the broker tells none |
    """

    same = auto()
    settling = auto()
    different = auto()
    unknown = auto()


@dataclass(slots=True)
class Positions:
    """Both sides, compared whenever somebody asks.

    | field | |
    |---|---|
    | `shares` | signed, that the broker has beyond our fills, when it was last asked |
    | `agreed` | whether both were the same once since this process began |
    | `untold_since` | from when on the broker tells no position; null = it does |
    """

    book: SessionBook
    shares: float = 0.0
    agreed: bool = False
    untold_since: pd.Timestamp | None = None
    _since: pd.Timestamp | None = None
    _looked: pd.Timestamp | None = None

    def compare(self, broker: Broker, now: pd.Timestamp) -> Standing:
        """Ask the broker, and remember since when the same difference has been there."""
        try:
            shares = broker.position() - self.book.position
        except BrokerUnavailable as error:
            if self.untold_since is None:
                logger.warning("%s", error)
                self.untold_since = now
            return Standing.unknown
        self.untold_since = None
        if shares == 0.0:
            self.agreed = True
            self.explained()
            return Standing.same
        recent = self._looked is not None and now - self._looked <= LOOKED_AT_WITHIN
        if self._since is None or shares != self.shares or not recent:
            self._since = now
        self.shares, self._looked = shares, now
        return Standing.different if now - self._since >= SETTLING else Standing.settling

    def explained(self) -> None:
        """Nothing is left to be explained."""
        self.shares, self._since, self._looked = 0.0, None, None
