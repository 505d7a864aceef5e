"""The data of now as a model sees them: its own scaler, moments and costs on any sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intraday_rl.dataset import Dataset, Fitting, problem_of, scaled_columns
from intraday_rl.errors import DataError
from intraday_rl.trading.problem import Problem


@dataclass(frozen=True, slots=True)
class Stage:
    """A dataset and what was fitted long ago on the model's train sessions."""

    dataset: Dataset
    fitting: Fitting
    columns: NDArray[np.float32]

    @classmethod
    def of(cls, dataset: Dataset, fitting: Fitting) -> Stage:
        return cls(dataset, fitting, scaled_columns(dataset, fitting.scaler))

    def problem(self, sessions: Sequence[dt.date], *, sequential: bool = True) -> Problem:
        """The trading problem of these sessions and no others."""
        dataset = self.dataset
        eligible = dataset.tape.index_of(tuple(sessions))
        cold = eligible[~dataset.warm[eligible]]
        if cold.size:
            raise DataError(
                f"session {dataset.tape.dates[cold[0]]} has no complete features or impact "
                "statistics yet; give data that start earlier"
            )
        return problem_of(dataset, self.fitting, self.columns, eligible, sequential=sequential)

    def decisions(self, sessions: Sequence[dt.date]) -> int:
        """Decisions in these sessions."""
        chosen = self.dataset.tape.index_of(tuple(sessions))
        return int(self.dataset.tape.sessions["decisions"][chosen].sum())
