"""The policies a fit was looked at with, of which the best on the first validation half is kept."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from intraday_rl.agents.bundle import PolicyState
from intraday_rl.errors import ModelError

LIST = "candidates.json"
ACTOR, TRAINING_STATE, SB3_ZIP = "best_actor.npz", "best_training_state", "best_sb3_zip"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One look at the policy: decisions trained, Sharpe on the first validation half."""

    step: int
    sharpe: float


@dataclass(slots=True)
class Candidates:
    """`all` that were looked at, in order; `chosen` the best so far with its `state`."""

    all: list[Candidate] = field(default_factory=list)
    chosen: Candidate | None = None
    state: PolicyState = field(default_factory=PolicyState)

    def add(self, candidate: Candidate, state: Callable[[], PolicyState]) -> None:
        """Take one in; strictly better ones alone replace the best: on ties the earliest stays."""
        self.all.append(candidate)
        if self.chosen is None or candidate.sharpe > self.chosen.sharpe:
            self.chosen, self.state = candidate, state()

    def files(self) -> dict[str, bytes]:
        """What `read` reads."""
        content: dict[str, Any] = {
            "all": [asdict(one) for one in self.all],
            "chosen": None if self.chosen is None else asdict(self.chosen),
        }
        files = {LIST: json.dumps(content).encode()}
        if self.state.actor is not None:
            actor = io.BytesIO()
            np.savez(actor, allow_pickle=False, **self.state.actor)
            files[ACTOR] = actor.getvalue()
        for name, part in (
            (TRAINING_STATE, self.state.training_state),
            (SB3_ZIP, self.state.sb3_zip),
        ):
            if part is not None:
                files[name] = part
        return files

    @classmethod
    def read(cls, folder: Path) -> Candidates:
        """The candidates of a checkpoint's folder."""
        try:
            return cls._read(folder)
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise ModelError(
                f"{folder}: its candidates cannot be read ({type(error).__name__}: {error})"
            ) from error

    @classmethod
    def _read(cls, folder: Path) -> Candidates:
        content = json.loads((folder / LIST).read_text("utf-8"))
        chosen = content["chosen"]
        if chosen is None:
            return cls([Candidate(**one) for one in content["all"]])
        with np.load(folder / ACTOR, allow_pickle=False) as saved:
            actor = {name: saved[name] for name in saved.files}
        state = PolicyState(
            actor=actor,
            training_state=(folder / TRAINING_STATE).read_bytes(),
            sb3_zip=(folder / SB3_ZIP).read_bytes(),
        )
        return cls([Candidate(**one) for one in content["all"]], Candidate(**chosen), state)
