"""A past session played again, bar by bar, and compared with the backtest's ledger."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from intraday_rl.agents.policy import Policy
from intraday_rl.live.clock import Clock
from intraday_rl.live.day import Opening, TradingDay
from intraday_rl.live.feed import Feed
from intraday_rl.live.journal import Journal


@dataclass(frozen=True, slots=True)
class Played:
    """A session's ledger and the opening of the next one."""

    ledger: pd.DataFrame
    after: Opening


def play(
    session: TradingDay,
    policy: Policy,
    clock: Clock,
    feed: Feed,
    journal: Journal,
    fold: str,
    seed: int,
) -> Played:
    """The whole session, from its first bar to its exit; decisions in the journal are not taken
    again."""
    actions = {
        pd.Timestamp(entry["bar_end"]): float(entry["action"])
        for entry in journal.read()
        if entry["event"] == "decision"
    }
    policy.begin_session()
    for bar_end in session.bar_ends:
        clock.wait_until(bar_end)
        known = feed.known(session.day, clock.now())
        if bar_end not in known.ends or not session.decides_at(bar_end) or bar_end in actions:
            continue
        seen = session.sight(known.symbol, known.benchmark, actions)
        action = policy.predict(seen.observation)
        journal.write("decision", str(clock.now()), bar_end=str(bar_end), action=action)
        actions[bar_end] = action
    known = feed.known(session.day, clock.now())
    ledger, after = session.ledger(known.symbol, known.benchmark, actions, fold, seed)
    return Played(ledger, after)


def difference(played: pd.DataFrame, backtest: pd.DataFrame) -> list[str]:
    """Where two ledgers of one session differ, to the last bit: one line for each column."""
    if len(played) != len(backtest):
        return [f"{len(played)} rows, the backtest has {len(backtest)}"]
    lines = []
    one, other = played.reset_index(drop=True), backtest.reset_index(drop=True)
    for name in one.columns:
        same = (one[name] == other[name]) | (one[name].isna() & other[name].isna())
        if not same.all():
            row = int((~same).to_numpy().argmax())
            lines.append(
                f"{name}: {one[name][row]} at {one['bar_end'][row]}, not {other[name][row]}"
            )
    return lines
