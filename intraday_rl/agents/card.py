"""Where a trained agent comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from intraday_rl.errors import ModelError

AGENTS = ("sac", "sac_jax", "flat", "hold", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The facts of one trained agent; JSON-safe, exact.

    agent             kind of agent, one of `AGENTS`
    fold, seed        the fold's name and the seed of its Generator
    a0, b0            moments the differential Sharpe ratio starts from, of the train decisions
    data_fingerprint  of the normalised bars the agent could have seen
    code_hash         of the package's sources and the versions that matter
    git_revision      null outside a checkout
    parent            the bundle this one was fine-tuned from, else null
    facts             anything else its maker wants to keep, JSON-safe
    """

    agent: str
    fold: str
    seed: int
    a0: float
    b0: float
    data_fingerprint: str
    code_hash: str
    git_revision: str | None = None
    parent: str | None = None
    facts: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.agent not in AGENTS:
            raise ModelError(f"card: agent={self.agent}: must be one of {', '.join(AGENTS)}")
        for key in ("fold", "data_fingerprint", "code_hash"):
            if not isinstance(getattr(self, key), str):
                raise ModelError(f"card: {key}={getattr(self, key)!r}: must be a text")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise ModelError(f"card: seed={self.seed!r}: must be a whole number")
        for key in ("a0", "b0"):
            if not isinstance(getattr(self, key), int | float):
                raise ModelError(f"card: {key}={getattr(self, key)!r}: must be a number")

    def as_dict(self) -> dict[str, object]:
        """Plain values, in the order above."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, object]) -> Card:
        """The card `as_dict` described; a missing or unknown entry is refused by name."""
        known = {entry.name for entry in fields(cls)}
        for key in sorted(known.symmetric_difference(saved)):
            problem = "is missing" if key in known else "is not an entry of this version"
            raise ModelError(f"card: {key} {problem}: use a bundle written by this version")
        return cls(**saved)  # type: ignore[arg-type]  # __post_init__ checks the values
