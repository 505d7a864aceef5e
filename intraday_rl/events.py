"""What a job tells whoever started it: JSON lines in the file that INTRADAY_RL_EVENTS names.

| event | values |
|---|---|
| `run` | `run_key` of the run that is written |
| `fits` | `fits`: window and seed of each that will be trained |
| `progress` | `window`, `seed`, `done` and `total` decisions, `validation_sharpe` when new |
| `fold` | `window`, `seed`, `status`: a fit is over |
| `ended` | `status` of the process, `error` in one line or null; always the last |

Every line also has `event` and `time` (UTC). Nothing is written where the variable is not set.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime

VARIABLE = "INTRADAY_RL_EVENTS"


def tell(event: str, **values: object) -> None:
    """Append one line; a disk that takes none must not end the work it is about."""
    file = os.environ.get(VARIABLE)
    if not file:
        return
    said = {"event": event, "time": datetime.now(UTC).isoformat(), **values}
    with suppress(OSError), open(file, "a", encoding="utf-8") as lines:
        lines.write(json.dumps(said) + "\n")
