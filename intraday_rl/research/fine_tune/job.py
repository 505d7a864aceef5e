"""One fine-tune as a unit of work: keyed like a fold, done once, by one process at a time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from intraday_rl.identity import code_hash, identity_of
from intraday_rl.records import RunFolder, SeedFolder, WorkFolder
from intraday_rl.research.fine_tune.checks import Prepared
from intraday_rl.research.fit import fold_generator
from intraday_rl.tasks import FineTune

# Of the options, those that decide the challenger's numbers; the rest decide what becomes of it.
DECISIVE = ("timesteps", "learning_rate", "reset_optimiser", "reset_entropy", "seed")


@dataclass(frozen=True, slots=True)
class Job:
    """`key` names the work and, since a fine-tune is one piece of work, its run."""

    key: str
    name: str  # of the fold's folder
    seed: int
    run: RunFolder
    work: WorkFolder

    @property
    def folder(self) -> SeedFolder:
        return self.run.fold(self.name).seed(self.seed)

    @property
    def place(self) -> str:
        return f"{self.name}/seed={self.seed}"

    def generators(self) -> list[np.random.Generator]:
        """For training, for the bootstrap of the gate, for the metrics."""
        return fold_generator(self.seed, f"fine_tune {self.name}").spawn(3)


def job_of(prepared: Prepared, options: FineTune, outputs: str) -> Job:
    """The same model, sessions, bars, options and code are the same work."""
    spans, market = prepared.spans, prepared.dataset.market
    last = spans.held_out[-1]
    content: dict[str, Any] = {
        "task": "fine_tune",
        "parent": prepared.parent.content_hash(),
        "tuning": [str(day) for day in spans.tuning],
        "held_out": [str(day) for day in spans.held_out],
        "options": {name: getattr(options, name) for name in DECISIVE},
        "bars": [market.symbol.fingerprint(last), market.benchmark.fingerprint(last)],
        "code": [code_hash(), own_code_hash()],
    }
    key = identity_of(content)
    return Job(
        key, spans.name, options.seed, RunFolder.of(outputs, key), WorkFolder.of(outputs, key)
    )


@cache
def own_code_hash() -> str:
    """Of the sources that write a fine-tune's numbers."""
    digest, here = hashlib.sha256(), Path(__file__).parent
    own = [here / f"{name}.py" for name in ("gate", "refill", "result", "spans", "tuning")]
    for source in (*own, here.parents[1] / "stage.py"):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
