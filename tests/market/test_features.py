"""The feature columns: what they are, what they may know, and what must move them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from intraday_rl.errors import ConfigError, DataError
from intraday_rl.market.bars import Bars
from intraday_rl.market.calendar import sessions
from intraday_rl.market.features import (
    MARKET_SWITCHES,
    Features,
    FeatureTable,
    SessionAnchor,
    compute,
    content_hash,
    resolve_anchor,
)
from intraday_rl.market.sources import MarketData

# Holds the end of daylight saving time, two half days and two holidays.
FIRST, LAST = date(2019, 11, 1), date(2019, 12, 31)
HALF_DAYS = (date(2019, 11, 29), date(2019, 12, 24))
BENCHMARK_COLUMNS = ("benchmark_trend", "benchmark_macd", "benchmark_adx", "benchmark_rsi")
PRICES = ["open", "high", "low", "close"]


def random_bars(symbol: str, seed: int, bar_minutes: int = 15) -> Bars:
    """A random walk with volume on the real calendar."""
    generator = np.random.default_rng(seed)
    parts = []
    for session, row in sessions(FIRST, LAST).iterrows():
        ends = pd.date_range(row["open"], row["close"], freq=f"{bar_minutes}min")
        parts.append(
            pd.DataFrame({"session": session, "bar_start": ends[:-1], "bar_end": ends[1:]})
        )
    frame = pd.concat(parts, ignore_index=True)
    for name in ("bar_start", "bar_end"):
        frame[name] = pd.DatetimeIndex(frame[name]).as_unit("ns")
    frame["session"] = pd.DatetimeIndex(frame["session"]).as_unit("ns")
    count = len(frame)
    close = 50.0 * np.exp(np.cumsum(generator.normal(0.0, 2e-3, count)))
    opens = np.concatenate([[50.0], close[:-1]]) * np.exp(generator.normal(0.0, 1e-3, count))
    frame["open"] = opens
    frame["high"] = np.maximum(opens, close) * (1.0 + generator.random(count) * 1e-3)
    frame["low"] = np.minimum(opens, close) * (1.0 - generator.random(count) * 1e-3)
    frame["close"] = close
    frame["volume"] = generator.integers(1_000, 100_000, count).astype(float)
    frame["split_factor"] = 1.0
    return Bars(symbol=symbol, bar_minutes=bar_minutes, frame=frame, notes=())


def with_frame(bars: Bars, frame: pd.DataFrame) -> Bars:
    return dataclasses.replace(bars, frame=frame.reset_index(drop=True))


def market_of(symbol: Bars, benchmark: Bars | None = None) -> MarketData:
    return MarketData(
        symbol=symbol,
        benchmark=symbol if benchmark is None else benchmark,
        benchmark_is_own=benchmark is None,
        synthetic=True,
        reconstructed=False,
        source="synthetic",
        notes=(),
    )


def cutoff_times() -> pd.Series:
    closes = sessions(FIRST, LAST)["close"]
    return closes - pd.Timedelta(minutes=15)


def table_of(market: MarketData, **settings: object) -> FeatureTable:
    return compute(market, Features(**settings), cutoff_times())  # type: ignore[arg-type]


def changed(bars: Bars, rows: list[int], change: Callable[[pd.DataFrame], pd.DataFrame]) -> Bars:
    """The bars with `change` applied to the prices of some rows."""
    frame = bars.frame.copy()
    frame.loc[rows, PRICES] = change(frame.loc[rows, PRICES])
    return with_frame(bars, frame)


def scrambled_after(bars: Bars, end: pd.Timestamp, seed: int) -> Bars:
    """Other prices and volumes in every bar that ends after `end`."""
    generator = np.random.default_rng(seed)
    frame = bars.frame.copy()
    later = np.flatnonzero(frame["bar_end"] > end)
    level = 90.0 * np.exp(np.cumsum(generator.normal(0.0, 0.02, len(later))))
    frame.loc[later, "open"] = level * 1.01
    frame.loc[later, "close"] = level
    frame.loc[later, "high"] = level * 1.05
    frame.loc[later, "low"] = level * 0.95
    frame.loc[later, "volume"] = generator.integers(1, 10, len(later)).astype(float)
    return with_frame(bars, frame)


def sampled_rows(bars: Bars) -> list[int]:
    """Rows early, late, on half days and at the borders of sessions."""
    days = bars.frame["session"].dt.date
    half = [row for day in HALF_DAYS for row in np.flatnonzero(days == day)[[0, 5, -2, -1]]]
    return sorted({0, 13, 26, 48, 49, 77, 260, 555, len(days) - 2, *(int(row) for row in half)})


@pytest.fixture(scope="module")
def symbol() -> Bars:
    return random_bars("TQQQ", seed=1)


@pytest.fixture(scope="module")
def benchmark() -> Bars:
    return random_bars("QQQ", seed=2)


@pytest.fixture(scope="module")
def market(symbol: Bars, benchmark: Bars) -> MarketData:
    return market_of(symbol, benchmark)


def test_the_default_columns_come_in_their_documented_order(market: MarketData) -> None:
    assert table_of(market).names == (
        *BENCHMARK_COLUMNS,
        "symbol_atr",
        "symbol_trend",
        "symbol_return_1",
        "symbol_return_4",
        "realised_volatility",
        "session_anchor_vwap",
        "overnight_gap",
        "time_to_cutoff",
    )


def test_the_slowest_average_decides_the_warm_up_and_nothing_is_missing_after(
    market: MarketData,
) -> None:
    table = table_of(market)
    assert table.warm_up_rows == Features().benchmark_ema_bars - 1
    assert np.isfinite(table.values[table.warm_up_rows :]).all()
    assert np.isnan(table.values[table.warm_up_rows - 1]).any()


@pytest.mark.parametrize("anchor", [SessionAnchor.vwap, SessionAnchor.open])
def test_scrambling_everything_after_a_bar_leaves_its_row_and_the_earlier_ones_bit_equal(
    symbol: Bars, benchmark: Bars, anchor: SessionAnchor
) -> None:
    whole = table_of(market_of(symbol, benchmark), session_anchor_price=anchor).values
    for row in sampled_rows(symbol):
        end = symbol.frame["bar_end"][row]
        other = market_of(scrambled_after(symbol, end, row), scrambled_after(benchmark, end, row))
        values = table_of(other, session_anchor_price=anchor).values
        assert values[: row + 1].tobytes() == whole[: row + 1].tobytes(), row
        assert not np.array_equal(values[row + 1 :, :-1], whole[row + 1 :, :-1])


def test_a_table_that_ends_at_a_bar_has_the_same_bits_up_to_it(
    symbol: Bars, benchmark: Bars
) -> None:
    whole = table_of(market_of(symbol, benchmark)).values
    for row in sampled_rows(symbol):
        until = [with_frame(bars, bars.frame.iloc[: row + 1]) for bars in (symbol, benchmark)]
        assert table_of(market_of(*until)).values.tobytes() == whole[: row + 1].tobytes(), row


@pytest.mark.parametrize("row", [60, 259, 260, 511, 700])
def test_the_benchmarks_bar_moves_its_own_row_and_none_before(
    symbol: Bars, benchmark: Bars, row: int
) -> None:
    whole = table_of(market_of(symbol, benchmark))
    probe = table_of(market_of(symbol, changed(benchmark, [row], lambda prices: prices * 1.01)))
    for name in BENCHMARK_COLUMNS:
        assert probe.column(name)[row] != whole.column(name)[row], name
        assert np.array_equal(probe.column(name)[:row], whole.column(name)[:row], equal_nan=True)
    others = [name for name in whole.names if name not in BENCHMARK_COLUMNS]
    for name in others:
        assert np.array_equal(probe.column(name), whole.column(name), equal_nan=True), name


@pytest.mark.parametrize("row", [60, 259, 511, 700])
def test_the_symbols_bar_moves_every_price_column_of_its_own_row(
    symbol: Bars, benchmark: Bars, row: int
) -> None:
    frame = symbol.frame.copy()
    frame.loc[row, ["high", "close"]] *= 1.01
    whole = table_of(market_of(symbol, benchmark))
    probe = table_of(market_of(with_frame(symbol, frame), benchmark))
    for name in whole.names:
        fixed = name in (*BENCHMARK_COLUMNS, "overnight_gap", "time_to_cutoff")
        assert (probe.column(name)[row] == whole.column(name)[row]) is np.bool_(fixed), name


def test_a_hole_of_the_benchmark_carries_its_last_closed_bar_on(
    symbol: Bars, benchmark: Bars
) -> None:
    holed = with_frame(benchmark, benchmark.frame.drop(index=[300, 301]))
    table = table_of(market_of(symbol, holed))
    whole = table_of(market_of(symbol, benchmark))
    assert len(table.values) == len(symbol.frame)
    for name in BENCHMARK_COLUMNS:
        column = table.column(name)
        assert column[299] == column[300] == column[301] == whole.column(name)[299]
        assert column[302] != column[301]


def test_a_hole_of_the_symbol_keeps_the_benchmarks_later_rows_in_step(
    symbol: Bars, benchmark: Bars
) -> None:
    holed = with_frame(symbol, symbol.frame.drop(index=[300, 301]))
    table = table_of(market_of(holed, benchmark))
    whole = table_of(market_of(symbol, benchmark))
    kept = np.delete(np.arange(len(symbol.frame)), [300, 301])
    for name in BENCHMARK_COLUMNS:
        assert np.array_equal(table.column(name), whole.column(name)[kept], equal_nan=True)


def test_without_a_benchmark_its_columns_come_from_the_symbol(symbol: Bars) -> None:
    own, twin = table_of(market_of(symbol)), table_of(market_of(symbol, symbol))
    assert own.names == twin.names
    assert own.values.tobytes() == twin.values.tobytes()


def test_multiplying_all_prices_changes_no_feature(symbol: Bars, benchmark: Bars) -> None:
    rows = list(symbol.frame.index)
    larger = [changed(bars, rows, lambda prices: prices * 7.0) for bars in (symbol, benchmark)]
    scaled, plain = table_of(market_of(*larger)), table_of(market_of(symbol, benchmark))
    np.testing.assert_allclose(scaled.values, plain.values, rtol=1e-9, atol=1e-9)


def test_a_return_reaches_back_at_most_to_the_sessions_open(symbol: Bars) -> None:
    table = table_of(market_of(symbol))
    frame, start = symbol.frame, 26  # the first bar of the second session
    close, opened = frame["close"], frame["open"][start]
    one, four = table.column("symbol_return_1"), table.column("symbol_return_4")
    assert one[start] == close[start] / opened - 1.0
    assert one[start + 1] == close[start + 1] / close[start] - 1.0
    assert four[start + 3] == close[start + 3] / opened - 1.0
    assert four[start + 4] == close[start + 4] / close[start] - 1.0


def test_the_session_vwap_starts_anew_each_session(symbol: Bars) -> None:
    table = table_of(market_of(symbol), session_anchor_price=SessionAnchor.vwap)
    distance, frame = table.column("session_anchor_vwap"), symbol.frame
    typical = (frame["high"] + frame["low"] + frame["close"]) / 3.0
    for row in (26, 30, 51, 52):
        first = row // 26 * 26
        traded = frame["volume"][first : row + 1]
        vwap = (typical[first : row + 1] * traded).sum() / traded.sum()
        assert distance[row] == pytest.approx(frame["close"][row] / vwap - 1.0, abs=1e-14)
    louder = frame.copy()
    louder.loc[:51, "volume"] *= np.linspace(1.0, 9.0, 52)
    other = table_of(market_of(with_frame(symbol, louder))).column("session_anchor_vwap")
    assert np.array_equal(other[52:], distance[52:])
    assert not np.array_equal(other[:52], distance[:52])


def test_before_anything_traded_the_vwap_is_the_sessions_open(symbol: Bars) -> None:
    frame = symbol.frame.copy()
    frame.loc[52:53, "volume"] = 0.0
    distance = table_of(market_of(with_frame(symbol, frame))).column("session_anchor_vwap")
    assert distance[53] == frame["close"][53] / frame["open"][52] - 1.0


def test_the_overnight_gap_holds_through_its_session(symbol: Bars) -> None:
    gap = table_of(market_of(symbol)).column("overnight_gap")
    assert np.isnan(gap[:26]).all()
    expected = symbol.frame["open"][26] / symbol.frame["close"][25] - 1.0
    assert (gap[26:52] == expected).all()
    assert gap[52] != expected


def test_the_time_runs_from_the_open_to_the_cutoff_also_on_half_days(symbol: Bars) -> None:
    time = table_of(market_of(symbol)).column("time_to_cutoff")
    local = symbol.frame["bar_end"].dt.tz_convert("America/New_York")
    clock = local.dt.strftime("%H:%M")
    half = local.dt.date.isin(HALF_DAYS)
    assert time[(clock == "09:45") & ~half] == pytest.approx(15 / 375)
    assert time[(clock == "09:45") & half] == pytest.approx(15 / 195)
    assert (time[(clock == "15:45") & ~half] == 1.0).all()
    assert (time[(clock == "12:45") & half] == 1.0).all()
    assert time.min() > 0.0
    assert time.max() == 1.0


def test_a_session_without_a_cutoff_is_refused_by_name(market: MarketData) -> None:
    with pytest.raises(DataError, match="2019-11-29"):
        compute(market, Features(), cutoff_times().drop(pd.Timestamp(2019, 11, 29)))


def test_realised_volatility_is_the_root_of_averaged_squared_returns(symbol: Bars) -> None:
    table = table_of(market_of(symbol), realised_volatility_bars=5)
    squared = table.column("symbol_return_1") ** 2
    average = squared[:5].mean()
    for row in range(5, 60):
        average += (squared[row] - average) * 2.0 / 6.0
        assert table.column("realised_volatility")[row] == pytest.approx(np.sqrt(average))


def test_range_and_strength_follow_wilders_averages(symbol: Bars) -> None:
    table, frame = table_of(market_of(symbol)), symbol.frame
    before = frame["close"].shift()
    spread = frame["high"].combine(before, max) - frame["low"].combine(before, min)
    gain = frame["close"].diff().clip(lower=0.0)
    loss = -frame["close"].diff().clip(upper=0.0)
    means = [column[1:15].mean() for column in (spread, gain, loss)]
    for row in range(15, 200):
        columns = (spread, gain, loss)
        means = [(13 * m + c[row]) / 14 for m, c in zip(means, columns, strict=True)]
        expected_rsi = 100 * means[1] / (means[1] + means[2])
        assert table.column("benchmark_rsi")[row] == pytest.approx(expected_rsi)
        assert table.column("symbol_atr")[row] == pytest.approx(means[0] / frame["close"][row])


def test_one_bar_without_volume_moves_the_whole_run_to_the_open(symbol: Bars) -> None:
    frame = symbol.frame.copy()
    frame.loc[600, "volume"] = np.nan
    without = with_frame(symbol, frame)
    assert resolve_anchor(symbol, Features()) is SessionAnchor.vwap
    assert resolve_anchor(without, Features()) is SessionAnchor.open
    table = table_of(market_of(without))
    assert "session_anchor_open" in table.names
    expected = frame["close"][30] / frame["open"][26] - 1.0
    assert table.column("session_anchor_open")[30] == expected


@pytest.mark.parametrize("volume", [np.nan, 0.0])
def test_a_vwap_without_volume_is_refused_by_name(symbol: Bars, volume: float) -> None:
    frame = symbol.frame.copy()
    frame.loc[frame["session"] == pd.Timestamp(2019, 12, 24), "volume"] = volume
    without = market_of(with_frame(symbol, frame))
    with pytest.raises(DataError, match=r"session_anchor_price=vwap: TQQQ .* 2019-12-24"):
        table_of(without, session_anchor_price=SessionAnchor.vwap)
    assert "session_anchor_open" in table_of(without).names


def test_flat_prices_give_finite_features(symbol: Bars, benchmark: Bars) -> None:
    rows = list(symbol.frame.index)
    flat = [changed(bars, rows, lambda prices: prices * 0.0 + 3.3) for bars in (symbol, benchmark)]
    table = table_of(market_of(*flat))
    ready = table.values[table.warm_up_rows :]
    assert np.isfinite(ready).all()
    for name in ("benchmark_trend", "benchmark_macd", "symbol_trend"):
        assert np.abs(table.column(name)[table.warm_up_rows :]).max() < 1e-6


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_missing_value_after_the_warm_up_is_refused_with_its_feature_and_time(
    symbol: Bars, value: float
) -> None:
    column: NDArray[np.float64] = np.ones(len(symbol.frame))
    column[:3] = np.nan
    column[40] = value
    with pytest.raises(DataError, match=r"feature second .* 2019-11-04 13:15 New York"):
        FeatureTable.of({"first": np.ones_like(column), "second": column}, symbol.frame["bar_end"])


@pytest.mark.parametrize("switch", MARKET_SWITCHES)
def test_each_switch_removes_exactly_its_own_columns(market: MarketData, switch: str) -> None:
    whole, without = table_of(market), table_of(market, **{switch: False})
    family = {"symbol_returns": "symbol_return_"}.get(switch, switch)
    kept = [name for name in whole.names if not name.startswith(family)]
    assert len(kept) < len(whole.names)
    assert list(without.names) == kept
    for name in kept:
        assert np.array_equal(without.column(name), whole.column(name), equal_nan=True)


@pytest.mark.parametrize(
    ("setting", "value", "moved"),
    [
        ("benchmark_ema_bars", 40, {"benchmark_trend"}),
        ("symbol_ema_bars", 20, {"symbol_trend"}),
        ("atr_bars", 20, {"benchmark_trend", "benchmark_macd", "symbol_atr", "symbol_trend"}),
        ("adx_bars", 20, {"benchmark_adx"}),
        ("rsi_bars", 20, {"benchmark_rsi"}),
        ("macd_fast_bars", 8, {"benchmark_macd"}),
        ("macd_slow_bars", 30, {"benchmark_macd"}),
        ("macd_signal_bars", 5, {"benchmark_macd"}),
        ("realised_volatility_bars", 13, {"realised_volatility"}),
    ],
)
def test_each_length_moves_its_own_columns(
    market: MarketData, setting: str, value: int, moved: set[str]
) -> None:
    whole, other = table_of(market), table_of(market, **{setting: value})
    differing = {
        name
        for name in whole.names
        if not np.array_equal(whole.column(name), other.column(name), equal_nan=True)
    }
    assert differing == moved


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("benchmark_ema_bars", 1),
        ("atr_bars", 0),
        ("macd_slow_bars", 12),
        ("clip", 0.0),
        ("clip", float("nan")),
        ("return_bars", [1, 1]),
        ("return_bars", [0]),
        ("return_bars", []),
    ],
)
def test_a_setting_out_of_range_is_refused_with_its_key(setting: str, value: object) -> None:
    with pytest.raises(ConfigError) as refusal:
        Features(**{setting: value})  # type: ignore[arg-type]
    assert refusal.value.key == setting


def test_an_observation_without_market_columns_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one market column"):
        Features(**dict.fromkeys(MARKET_SWITCHES, False))  # type: ignore[arg-type]


def test_a_saved_table_reads_back_bit_for_bit(market: MarketData, tmp_path: Path) -> None:
    table, path = table_of(market), tmp_path / "cache" / "table.npz"
    table.save(path)
    table.save(path)
    again = FeatureTable.load(path)
    assert again.names == table.names
    assert again.warm_up_rows == table.warm_up_rows
    assert again.values.tobytes() == table.values.tobytes()
    assert [file.name for file in path.parent.iterdir()] == ["table.npz"]


def test_a_save_that_fails_leaves_nothing_behind(
    market: MarketData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space left"):
        table_of(market).save(tmp_path / "table.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_refused_by_name(market: MarketData, tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    table_of(market).save(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"table\.npz"):
        FeatureTable.load(path)
    np.savez(path, names=np.array([{"a": 1}], dtype=object), values=np.ones((1, 1)))
    with pytest.raises(DataError, match=r"table\.npz"):
        FeatureTable.load(path)


def test_the_cache_key_follows_bars_columns_and_cutoffs_but_not_the_scaler(
    market: MarketData,
) -> None:
    fingerprints = (market.symbol.fingerprint(), market.benchmark.fingerprint())
    key = content_hash(fingerprints, Features(), cutoff_times())
    assert key == content_hash(fingerprints, Features(), cutoff_times())
    assert key == content_hash(
        fingerprints, Features(clip=3.0, account_position=False), cutoff_times()
    )
    others = {
        content_hash(fingerprints[::-1], Features(), cutoff_times()),
        content_hash(fingerprints, Features(atr_bars=15), cutoff_times()),
        content_hash(
            fingerprints, Features(session_anchor_price=SessionAnchor.open), cutoff_times()
        ),
        content_hash(fingerprints, Features(), cutoff_times() - pd.Timedelta(minutes=15)),
    }
    assert len(others | {key}) == 5
