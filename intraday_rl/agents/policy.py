"""The one question asked of every agent: what fraction to aim for, given one observation."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Policy(Protocol):
    """Whatever decides, learned or not; judged by the same code through `predict`.

    observation   float32, (n_obs,)   scaled as in training, one decision of one account
    returns       float in [-1, 1]    the raw action, before clip, band and lots
    timing        called at a bar's end, with what is known then; never with a batch, since a
                  batch rounds differently and evaluation, replay and paper sessions must agree
    """

    def predict(self, observation: NDArray[np.float32]) -> float:
        """The raw action for one observation."""
        ...

    def begin_session(self) -> None:
        """Forget whatever is kept within a session."""
        ...
