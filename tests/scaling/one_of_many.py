"""The real entry, held at a gate until all its companions are there (run by a test)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from intraday_rl.entry import main
from intraday_rl.tracking.mlflow_store import quiet_mlflow

if __name__ == "__main__":
    quiet_mlflow()
    import mlflow  # noqa: F401  the slow import comes before the gate, so that the race is tight

    gate, number, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    sys.argv[1:] = sys.argv[4:]
    (gate / number).touch()
    while len(list(gate.iterdir())) < count:
        time.sleep(0.002)
    main()
