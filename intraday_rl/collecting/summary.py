"""What a stored series holds, in a few lines, with everything that should be looked at."""

from __future__ import annotations

from collections.abc import Iterator

from intraday_rl.market.catalogue import Catalogue, PartState
from intraday_rl.market.store import Series


def series_lines(series: Series, catalogue: Catalogue) -> list[str]:
    """Span, counts, place and fingerprint; then a line for each month that is not whole."""
    parts = list(catalogue.parts.values())
    found = sum(part.sessions_found for part in parts)
    expected = sum(part.sessions_expected for part in parts)
    return [
        f"{series}: {parts[0].first_session} to {parts[-1].last_session}, {found} of {expected} "
        f"sessions of {len(parts)} months, {sum(part.bars for part in parts)} bars",
        f"  in {series.folder}, fingerprint {catalogue.fingerprint()[:16]}",
        *(f"  {line}" for line in _remarks(catalogue)),
    ]


def _remarks(catalogue: Catalogue) -> Iterator[str]:
    for month, part in catalogue.parts.items():
        if part.left_out:
            yield f"{month}: {part.left_out} rows that no bar can be were left out"
        absent = part.sessions_expected - part.sessions_found
        if absent:
            yield f"{month}: {absent} of {part.sessions_expected} sessions are absent"
        elif part.state in (PartState.short, PartState.settled):
            yield f"{month}: sessions are cut short; look closer with task=inspect"
