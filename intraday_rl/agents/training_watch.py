"""After every training: stop at what is no number, keep the curve, tell the listeners."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.divergence import diverged
from intraday_rl.agents.seeded_replay import SeededReplayBuffer
from intraday_rl.agents.training_record import TrainingRecord

CURVES = ("actor_loss", "critic_loss", "ent_coef")
LOSSES = (*CURVES, "ent_coef_loss")


class TrainingWatch(BaseCallback):
    """Looks after every training: finite values, learning curve, progress, evaluation.

    It acts at the start of a rollout and at the end of all, which is right after `train()`,
    whoever wrote that method; per decision it does nothing.
    """

    def __init__(
        self,
        record: TrainingRecord,
        policy: Callable[[], ActorPolicy],
        squared_weights: Callable[[], float],
        failure_folder: Path,
    ) -> None:
        super().__init__()
        self._record, self._policy, self._failure_folder = record, policy, failure_folder
        self._squared_weights = squared_weights

    def _init_callback(self) -> None:
        self._n_updates_seen = self.model._n_updates

    def _on_training_start(self) -> None:
        self._record.start(self.model.num_timesteps)

    def _on_rollout_start(self) -> None:
        self._look(last=False)

    def _on_training_end(self) -> None:
        self._look(last=True)

    def _on_step(self) -> bool:
        return True

    def _look(self, last: bool) -> None:
        if self.model._n_updates > self._n_updates_seen:
            self._n_updates_seen = self.model._n_updates
            self.refuse_non_finite()
            logged = self.logger.name_to_value
            self._record.add({name: logged[f"train/{name}"] for name in CURVES})
        self._record.look(self.model.num_timesteps, self._policy, last=last)

    def refuse_non_finite(self) -> None:
        """Stop at a loss or weight that is no number; the losses are at hand already."""
        logged = self.logger.name_to_value
        bad = [
            name for name in LOSSES if not math.isfinite(float(logged.get(f"train/{name}", 0.0)))
        ]
        if not math.isfinite(self._squared_weights()):
            bad.append("weights")
        if not bad:
            return
        buffer = getattr(self.model, "replay_buffer", None)
        batches = buffer.last_batches() if isinstance(buffer, SeededReplayBuffer) else {}
        bad += [f"batch {part}" for part, kept in batches.items() if not np.isfinite(kept).all()]
        raise diverged(self._failure_folder, self.model.num_timesteps, ", ".join(bad), batches)
