"""Must-change probes: one price moves, and a number that depends on it by definition must move.

| probe | moves | must move |
|---|---|---|
| price of the fill | open of bar k+1 (as `env.fill` says) | price of fill k |
| price of the exit | open at the cutoff, or the last close | price of the exit |
| close of the bar | symbol's close k | its columns of feature row k, observation k |
| bar of the benchmark | benchmark's bar that closed last by then | its columns of feature row k |

A number that is too late passes every test of look-ahead, and a fill hidden at the close that was
just seen is one: these probes are what catches them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from intraday_rl.market.calendar import nanoseconds
from intraday_rl.research.audit.findings import Findings
from intraday_rl.research.audit.knowledge import Numbers
from intraday_rl.research.audit.perturb import nudged, with_benchmark, with_symbol
from intraday_rl.research.audit.prove import Proof, fold_numbers
from intraday_rl.research.audit.sample import Time
from intraday_rl.trading.cutoff import Fill

# Columns that follow a close by their definition; the clock and the night's gap do not.
OF_THE_SYMBOL = ("symbol_", "realised_volatility", "session_anchor")
OF_THE_BENCHMARK = ("benchmark_",)
PRICES_AT = {Fill.next_open: "open", Fill.next_close: "close", Fill.close: "close"}
WHOLE_BAR = ("open", "high", "low", "close")


def probe(proof: Proof, time: Time, findings: Findings) -> None:
    """Ask every question that can be asked at a row of the tape."""
    _probe_price(proof, time, findings)
    if time.is_exit:
        return
    own = proof.fold.dataset.market.benchmark_is_own
    _probe_close(proof, time, OF_THE_SYMBOL + (OF_THE_BENCHMARK if own else ()), findings)
    if not own:
        _probe_benchmark(proof, time, findings)


def _probe_price(proof: Proof, time: Time, findings: Findings) -> None:
    market = proof.fold.dataset.market
    bar, price = _price_source(proof, time)
    moved = proof.fold_on(with_symbol(market, nudged(market.symbol, bar, (price,))))
    # The last player answers to every number it sees, so it trades if anyone does.
    before, after = proof.played[-1].numbers, proof.again(moved, proof.players[-1], time).numbers
    stage = "exit" if time.is_exit else "fill"
    pair = _chosen(before, after, stage, ("price",))
    said = f"the {price} that prices this {stage} moved, and the {stage} did not"
    _ask(f"price of the {stage}", pair, _row_end(proof, time), proof, said, findings)


def _probe_close(proof: Proof, time: Time, prefixes: tuple[str, ...], findings: Findings) -> None:
    market = proof.fold.dataset.market
    bar = _bar_closing(proof, time)
    moved = proof.fold_on(with_symbol(market, nudged(market.symbol, bar, ("close",))))
    said = "the close of its own bar moved, and it did not: it comes too late"
    pairs = _chosen(fold_numbers(proof.fold), fold_numbers(moved), "features", prefixes)
    for pair in pairs:
        _ask("close of the bar", [pair], _row_end(proof, time), proof, said, findings)
    before, after = proof.played[-1].numbers, proof.again(moved, proof.players[-1], time).numbers
    # Any one of the columns will do: a scaled one may sit at the scaler's bound before and after.
    shown = _chosen(before, after, "observation", prefixes)
    _ask("close of the bar", shown, _row_end(proof, time), proof, said, findings)


def _probe_benchmark(proof: Proof, time: Time, findings: Findings) -> None:
    market = proof.fold.dataset.market
    closed = nanoseconds(market.benchmark.frame["bar_end"])
    bar = int(np.searchsorted(closed, _row_end(proof, time), side="right")) - 1
    if bar < 0:
        return
    moved = proof.fold_on(with_benchmark(market, nudged(market.benchmark, bar, WHOLE_BAR)))
    said = "the benchmark's bar that closed last moved, and it did not: it is joined too late"
    pairs = _chosen(fold_numbers(proof.fold), fold_numbers(moved), "features", OF_THE_BENCHMARK)
    for pair in pairs:
        _ask("bar of the benchmark", [pair], _row_end(proof, time), proof, said, findings)


def _ask(
    name: str,
    pairs: Sequence[tuple[Numbers, Numbers]],
    time_ns: int,
    proof: Proof,
    said: str,
    findings: Findings,
) -> None:
    """At least one of the pairs must differ at the row of this time, if the walk came so far."""
    at = int(np.searchsorted(pairs[0][0].time, time_ns)) if pairs else 0
    reached = all(
        at < min(one.time.size, other.time.size) and one.time[at] == time_ns for one, other in pairs
    )
    if pairs and reached:
        findings.probe(name, pairs, at, proof.where, said)


def _chosen(
    before: list[Numbers], after: list[Numbers], stage: str, prefixes: tuple[str, ...]
) -> list[tuple[Numbers, Numbers]]:
    return [
        (one, other)
        for one, other in zip(before, after, strict=True)
        if one.stage == stage and one.name.startswith(prefixes)
    ]


def _price_source(proof: Proof, time: Time) -> tuple[int, str]:
    """Bar and price that the configuration declares for the row's order."""
    dataset = proof.fold.dataset
    at, fill = _row_end(proof, time), dataset.plan.env.fill
    if not time.is_exit:
        return _bar_closing(proof, time) + (fill is not Fill.close), PRICES_AT[fill]
    if dataset.tape.missing_bar[time.session]:
        return _bar_closing(proof, time), "close"
    starts = nanoseconds(dataset.market.symbol.frame["bar_start"])
    return int(np.searchsorted(starts, at)), "open"


def _bar_closing(proof: Proof, time: Time) -> int:
    ends = nanoseconds(proof.fold.dataset.market.symbol.frame["bar_end"])
    return int(np.searchsorted(ends, _row_end(proof, time)))


def _row_end(proof: Proof, time: Time) -> int:
    return int(proof.fold.dataset.tape.row_end[time.row].astype(np.int64))
