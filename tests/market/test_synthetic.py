"""Synthetic bars have the truth they claim: a planted signal of known size, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import sessions
from intraday_rl.market.synthetic import SyntheticData, generate

Array = NDArray[np.float64]


@lru_cache(maxsize=16)
def symbol_bars(seed: int = 0, edge: float = 0.0, bar_minutes: int = 15) -> Bars:
    data = SyntheticData(seed=seed, edge=edge, bar_minutes=bar_minutes)
    return generate(data, "TQQQ", "QQQ")[0]


def features_and_fill_returns(bars: Bars) -> tuple[Array, Array]:
    """Last one-bar return at k, and the return from the open of k+1 to the open of k+2."""
    frame = bars.frame
    by_session = frame.groupby("session", sort=False)
    before = by_session["close"].shift().fillna(frame["open"])
    outcome = by_session["open"].shift(-2) / by_session["open"].shift(-1) - 1
    decides = outcome.notna()
    return (frame["close"] / before - 1)[decides].to_numpy(), outcome[decides].to_numpy()


def t_value(returns: Array) -> float:
    return float(returns.mean() / returns.std(ddof=1) * np.sqrt(len(returns)))


@pytest.mark.parametrize("edge", [0.0, 0.15, 0.30, -0.30])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_last_return_predicts_the_next_fill_return_with_the_planted_edge(
    seed: int, edge: float
) -> None:
    feature, outcome = features_and_fill_returns(symbol_bars(seed, edge))
    assert abs(np.corrcoef(feature, outcome)[0, 1] - edge) < 0.02


@pytest.mark.parametrize("bar_minutes", [5, 30])
def test_the_edge_is_the_same_at_other_bar_lengths(bar_minutes: int) -> None:
    feature, outcome = features_and_fill_returns(symbol_bars(0, 0.3, bar_minutes))
    assert abs(np.corrcoef(feature, outcome)[0, 1] - 0.3) < 0.02


def test_the_expected_edge_has_no_bias_over_seeds() -> None:
    for edge in (0.0, 0.3):
        measured = [
            np.corrcoef(*features_and_fill_returns(symbol_bars(seed, edge)))[0, 1]
            for seed in range(8)
        ]
        assert abs(np.mean(measured) - edge) < 0.007


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_edge_no_lag_of_bar_returns_is_correlated(seed: int) -> None:
    frame = symbol_bars(seed).frame
    by_session = frame.groupby("session", sort=False)
    for column in ("open", "close"):
        change = by_session[column].pct_change()
        for lag in range(1, 9):
            earlier = change.groupby(frame["session"], sort=False).shift(lag)
            assert abs(change.corr(earlier)) < 0.03, (column, lag)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_edge_there_is_no_drift_and_no_momentum_or_reversal_to_trade(seed: int) -> None:
    bars = symbol_bars(seed)
    feature, outcome = features_and_fill_returns(bars)
    assert abs(t_value(outcome)) < 3
    assert abs(t_value(np.sign(feature) * outcome)) < 3
    by_session = bars.frame.groupby("session", sort=False)
    first, last = by_session["open"].first(), by_session["close"].last()
    inside = (last / first - 1).to_numpy()
    gap = (first / last.shift() - 1).fillna(0.0).to_numpy()
    assert abs(t_value(inside)) < 3
    assert abs(t_value(np.sign(gap) * inside)) < 3
    moved = (frame_at(bars, 11, "close") / frame_at(bars, 0, "open") - 1).dropna()
    rest = (last / frame_at(bars, 12, "open") - 1).reindex(moved.index)
    assert abs(t_value((np.sign(moved) * rest).dropna().to_numpy())) < 3


def frame_at(bars: Bars, number: int, column: str) -> pd.Series[float]:
    """One bar of each session that has it, by its number in the session."""
    chosen = bars.frame[bars.frame.groupby("session").cumcount() == number]
    return pd.Series(chosen[column].to_numpy(), index=pd.DatetimeIndex(chosen["session"]))


def test_with_an_edge_following_the_last_return_pays() -> None:
    feature, outcome = features_and_fill_returns(symbol_bars(0, 0.15))
    assert t_value(np.sign(feature) * outcome) > 10


def test_the_drift_lies_in_the_overnight_gaps() -> None:
    sums = []
    for seed in range(8):
        bars = generate(SyntheticData(seed=seed, annual_drift=0.5), "TQQQ", "QQQ")[1]
        by_session = bars.frame.groupby("session", sort=False)
        first, last = by_session["open"].first(), by_session["close"].last()
        sums.append([np.log(first / last.shift()).sum(), np.log(last / first).sum()])
    overnight, inside = np.mean(sums, axis=0)
    assert 2.2 < overnight < 3.8
    assert abs(inside) < 0.4


@pytest.mark.parametrize("bar_minutes", [1, 5, 15, 26, 30, 195])
def test_bars_are_whole_sessions_of_the_real_calendar(bar_minutes: int) -> None:
    data = SyntheticData(start="2018-11-19", end="2018-12-31", bar_minutes=bar_minutes)
    table = sessions(date(2018, 11, 19), date(2018, 12, 31))
    for bars in generate(data, "TQQQ", "QQQ"):
        frame = bars.frame
        by_session = frame.groupby("session")
        assert list(bars.session_index()) == list(table.index)
        assert pd.Timestamp("2018-12-05") not in bars.session_index()
        assert (by_session["bar_start"].first() == table["open"]).all()
        assert (by_session["bar_end"].last() == table["close"]).all()
        within = frame["session"] == frame["session"].shift()
        assert (frame["bar_start"] == frame["bar_end"].shift())[within].all()
        counts = by_session.size()
        assert set(counts[~table["half_day"]]) == {390 // bar_minutes}
        assert set(counts[table["half_day"]]) == {-(-210 // bar_minutes)}


@pytest.mark.parametrize("leverage", [3.0, 1.0, -3.0])
@pytest.mark.parametrize("bar_minutes", [1, 15])
def test_prices_and_volumes_are_consistent(bar_minutes: int, leverage: float) -> None:
    data = SyntheticData(end="2018-12-31", bar_minutes=bar_minutes, leverage=leverage, edge=0.2)
    for bars in generate(data, "TQQQ", "QQQ"):
        frame = bars.frame
        assert (frame["low"] > 0).all()
        assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()
        assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()
        assert (frame["volume"] >= 1).all()
        assert (frame["volume"] % 1 == 0).all()
        assert (frame["split_factor"] == 1).all()
        assert np.isfinite(frame.select_dtypes("float64").to_numpy()).all()


def test_an_open_is_near_the_close_before_but_not_equal() -> None:
    frame = symbol_bars().frame
    jump = np.log(frame["open"] / frame["close"].shift())[
        frame["session"] == frame["session"].shift()
    ]
    body = np.log(frame["close"] / frame["open"])
    assert (jump == 0).mean() < 0.001
    assert 0.01 < jump.std() / body.std() < 0.1


@pytest.mark.parametrize("leverage", [3.0, -2.0])
def test_the_symbol_is_the_benchmark_leveraged_and_reset_every_day(leverage: float) -> None:
    symbol, benchmark = generate(SyntheticData(leverage=leverage), "TQQQ", "QQQ")
    closes = [
        bars.frame.groupby("session")["close"].last().pct_change().dropna()
        for bars in (symbol, benchmark)
    ]
    np.testing.assert_allclose(closes[0], leverage * closes[1], rtol=0, atol=1e-12)


def test_volatility_and_volume_are_u_shaped_and_days_are_clustered() -> None:
    frame = symbol_bars().frame
    full = frame.groupby("session")["open"].transform("size") == 26
    number = frame.groupby("session").cumcount()
    move = pd.Series(np.log((frame["close"] / frame["open"]).to_numpy()))
    volatility = move[full].groupby(number[full]).std()
    volume = frame["volume"][full].groupby(number[full]).mean()
    for shape in (volatility, volume):
        assert shape[0] > 1.5 * shape[12]
        assert shape[25] > 1.3 * shape[12]
    day = (move**2).groupby(frame["session"]).mean().map(np.log)
    assert day.autocorr(1) > 0.5
    assert day.autocorr(10) > 0.25
    half = ~full
    assert frame["volume"][half].groupby(frame["session"][half]).sum().mean() < 80e6


def test_prices_and_volatility_are_of_the_size_of_the_real_ones() -> None:
    for seed in range(5):
        symbol, benchmark = generate(SyntheticData(seed=seed), "TQQQ", "QQQ")
        daily = benchmark.frame.groupby("session")["close"].last().pct_change().dropna()
        assert 0.20 < daily.std() * np.sqrt(252) < 0.30
        assert symbol.frame["low"].min() > 5
        assert symbol.frame["high"].max() < 200
    assert symbol_bars().frame["low"].min() > 10
    assert symbol_bars().frame["high"].max() < 150
    first = symbol_bars().frame["volume"].groupby(symbol_bars().frame["session"]).sum()
    assert 60e6 < first.mean() < 140e6


@pytest.mark.parametrize("bar_minutes", [1, 15])
@pytest.mark.parametrize("end", ["2018-07-03", "2018-11-23", "2019-03-11"])
def test_a_longer_end_changes_no_earlier_bar(end: str, bar_minutes: int) -> None:
    fields = {"edge": 0.15, "bar_minutes": bar_minutes}
    short = generate(SyntheticData(end=end, **fields), "TQQQ", "QQQ")  # type: ignore[arg-type]
    long = generate(SyntheticData(end="2019-12-31", **fields), "TQQQ", "QQQ")  # type: ignore[arg-type]
    for before, after in zip(short, long, strict=True):
        assert before.fingerprint() == after.fingerprint(through=date.fromisoformat(end))
        assert before.fingerprint() != after.fingerprint()


def test_the_same_seed_gives_the_same_bars_in_another_process_and_another_seed_others() -> None:
    code = (
        "from intraday_rl.market.synthetic import SyntheticData, generate\n"
        "import numpy\n"
        "numpy.random.seed(7)\n"
        "for bars in generate(SyntheticData(seed=3, end='2018-06-30'), 'TQQQ', 'QQQ'):\n"
        "    print(bars.fingerprint())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    here = generate(SyntheticData(seed=3, end="2018-06-30"), "TQQQ", "QQQ")
    assert done.stdout.split() == [bars.fingerprint() for bars in here]
    other = generate(SyntheticData(seed=4, end="2018-06-30"), "TQQQ", "QQQ")
    assert other[0].fingerprint() != here[0].fingerprint()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 1),
        ("start", "2018-02-01"),
        ("bar_minutes", 30),
        ("edge", 0.1),
        ("leverage", 2.0),
        ("annual_volatility", 0.2),
        ("annual_drift", 0.2),
        ("overnight_variance_share", 0.2),
        ("volatility_persistence", 0.5),
        ("volatility_spread", 0.1),
        ("bar_gap_variance_share", 0.01),
        ("trend_half_life_sessions", 20.0),
        ("symbol_start_price", 30.0),
        ("symbol_daily_volume", 1e6),
    ],
)
def test_every_knob_changes_the_bars(name: str, value: object) -> None:
    default = generate(SyntheticData(end="2018-06-29"), "TQQQ", "QQQ")
    changed = generate(SyntheticData(**{"end": "2018-06-29", name: value}), "TQQQ", "QQQ")  # type: ignore[arg-type]
    assert [b.fingerprint() for b in changed] != [b.fingerprint() for b in default]


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"bar_minutes": 7}, "bar_minutes"),
        ({"bar_minutes": 0}, "bar_minutes"),
        ({"edge": 0.9}, "edge"),
        ({"leverage": 0.0}, "leverage"),
        ({"start": "2018-13-01"}, "start"),
        ({"end": "2017-12-31"}, "end"),
        ({"seed": -1}, "seed"),
        ({"annual_volatility": 0.0}, "annual_volatility"),
        ({"symbol_start_price": float("nan")}, "symbol_start_price"),
    ],
)
def test_values_out_of_range_are_refused_by_their_key(fields: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SyntheticData(**fields)  # type: ignore[arg-type]
    assert refused.value.key == key


def test_a_fund_that_would_fall_below_zero_is_refused() -> None:
    data = SyntheticData(annual_volatility=2.0, leverage=5.0)
    with pytest.raises(ConfigError, match="falls to zero at leverage=5"):
        generate(data, "TQQQ", "QQQ")


def test_a_span_without_a_session_is_refused() -> None:
    with pytest.raises(DataError, match="no session"):
        generate(SyntheticData(start="2018-12-05", end="2018-12-05"), "TQQQ", "QQQ")
