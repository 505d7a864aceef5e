"""A plan as it is written down: plain values and the kinds of its parts, without Hydra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """`kinds`: group -> kind of part; `values`: the plan as plain values; `text`: plan.yaml."""

    kinds: dict[str, str]
    values: dict[str, Any]
    text: str
