"""What worlds and trials are called: by the settings in which they differ, no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from intraday_rl.tracking.values import flatten


def labels(settings: Sequence[Mapping[str, Any]], alone: str) -> list[str]:
    """A name for each of several settings, as one would type it; `alone` where nothing differs.

    `kinds` of the settings name which part stands in a group. The options of a part are compared
    only with those of the same part: that net_return has no eta is not a difference of its own.
    """
    kinds = [{str(k).replace("/", "."): v for k, v in one.get("kinds", {}).items()}
             for one in settings]  # fmt: skip
    flat = [flatten({k: v for k, v in one.items() if k != "kinds"}) for one in settings]
    varying = _varying_kinds(kinds) | _varying_options(kinds, flat)
    names = []
    for of_kind, options in zip(kinds, flat, strict=True):
        known = {**options, **of_kind}
        words = [f"{key}={known[key]}" for key in sorted(varying) if key in known]
        names.append(" ".join(words) or alone)
    return names


def _varying_kinds(kinds: Sequence[Mapping[str, str]]) -> set[str]:
    groups = {group for one in kinds for group in one}
    return {group for group in groups if len({one.get(group) for one in kinds}) > 1}


def _varying_options(
    kinds: Sequence[Mapping[str, str]], flat: Sequence[Mapping[str, str]]
) -> set[str]:
    found: dict[str, dict[str, set[str | None]]] = defaultdict(lambda: defaultdict(set))
    for key in {key for one in flat for key in one}:
        for of_kind, options in zip(kinds, flat, strict=True):
            part = next((k for g, k in of_kind.items() if key.startswith(f"{g}.")), "")
            if key in options:
                found[key][part].add(options[key])
    return {key for key, by_part in found.items() if any(len(v) > 1 for v in by_part.values())}
