"""How the report writes numbers: a true minus sign, and no estimate without its interval."""

from __future__ import annotations

from typing import Any

from intraday_rl.statistics.intervals import Interval

NOTHING = "–"
NO_INTERVAL = "[no interval]"
_PERCENT, _BASIS_POINTS = "\u00a0%", "\u00a0bp"  # a unit never stands alone on a line
_UNITS = {"number": (1.0, ""), "percent": (100.0, _PERCENT), "bp": (1e4, _BASIS_POINTS)}


def number(value: float | None, digits: int = 2) -> str:
    """A plain number."""
    return NOTHING if value is None else _minus(f"{value:,.{digits}f}")


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as a percentage."""
    return NOTHING if value is None else _minus(f"{100.0 * value:,.{digits}f}") + _PERCENT


def basis_points(value: float | None, digits: int = 1) -> str:
    """A fraction in hundredths of a percent."""
    return NOTHING if value is None else _minus(f"{1e4 * value:,.{digits}f}") + _BASIS_POINTS


def dollars(value: float | None) -> str:
    """Whole US dollars."""
    if value is None:
        return NOTHING
    return ("−" if round(value) < 0 else "") + f"${abs(round(value)):,}"


def count(value: float | None) -> str:
    """A whole number."""
    return NOTHING if value is None else _minus(f"{round(value):,}")


def sharpe_with_interval(metrics: dict[str, Any] | None) -> str:
    """`1.20 [0.31, 2.05]` of a `return_metrics` entry."""
    if metrics is None or metrics["sharpe"] is None:
        return NOTHING
    return f"{number(metrics['sharpe'])} {bounds(metrics['sharpe_low'], metrics['sharpe_high'])}"


def with_interval(interval: Interval | dict[str, Any] | None, unit: str = "number") -> str:
    """Estimate and bounds in one unit: `number`, `percent` or `bp`."""
    if interval is None:
        return NOTHING
    low, estimate, high = (
        (interval.low, interval.estimate, interval.high)
        if isinstance(interval, Interval)
        else (interval["low"], interval["estimate"], interval["high"])
    )
    if estimate is None:
        return NOTHING
    scale, suffix = {"number": (1.0, ""), "percent": (100.0, _PERCENT), "bp": (1e4, _BASIS_POINTS)}[
        unit
    ]
    digits = 2 if unit == "number" else 1
    scaled = [None if bound is None else bound * scale for bound in (low, high)]
    return f"{number(estimate * scale, digits)}{suffix} {bounds(scaled[0], scaled[1], digits)}"


def bounds(low: float | None, high: float | None, digits: int = 2) -> str:
    """`[low, high]`."""
    if low is None or high is None:
        return NO_INTERVAL
    return f"[{number(low, digits)}, {number(high, digits)}]"


def _minus(text: str) -> str:
    if text.startswith("-"):
        return text[1:] if not text.strip("-0.,") else "−" + text[1:]
    return text
