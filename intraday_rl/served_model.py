"""The code file of every logged model: MLflow runs a copy of it and hands it the bundle folder.

Logged as code, so that no pickle is written and none is executed on loading.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray

from intraday_rl.agents.bundle import load_policy
from intraday_rl.errors import ModelError


class ServedPolicy(PythonModel):
    """One action per row of a frame of scaled observations.

    | input | rule |
    |---|---|
    | columns | one per observation of the bundle's schema, scaled, any order, all finite |
    | rows | decisions of one session in time order; session state starts afresh each call |

    Output: float64 array, raw actions in [-1, 1], before `max_position` and the no-trade band.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Rebuild the policy from the bundle that lies inside the model's own folder."""
        self._policy, self._columns = load_policy(Path(context.artifacts["bundle"]))

    def predict(
        self,
        context: PythonModelContext | None,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> NDArray[np.float64]:
        """Actions for the rows of `model_input`, one observation at a time as in evaluation."""
        missing = [column for column in self._columns if column not in model_input.columns]
        if missing:
            raise ModelError(
                f"column {missing[0]!r} is missing ({len(missing)} of {len(self._columns)} are): "
                f"the frame needs {', '.join(self._columns)}"
            )
        unknown = [str(name) for name in model_input.columns if name not in self._columns]
        if unknown:
            raise ModelError(
                f"column {unknown[0]!r} is not an observation of this model: remove it; "
                f"it knows {', '.join(self._columns)}"
            )
        values = model_input[list(self._columns)].to_numpy(dtype=np.float32)
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            row, column = (int(place) for place in bad[0])
            raise ModelError(
                f"column {self._columns[column]!r}, row {row}: {values[row, column]} is not a "
                "finite number: leave rows out while features are warming up"
            )
        self._policy.begin_session()
        return np.array([float(self._policy.predict(row)) for row in values], dtype=np.float64)


set_model(ServedPolicy())
