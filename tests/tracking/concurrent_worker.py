"""One of several processes that meet a fresh store at the same moment (run by a test)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from intraday_rl.tracking import MlflowTracking, open_tracker
from intraday_rl.tracking.mlflow_store import quiet_mlflow


def main(outputs: Path, number: int, count: int, writes: int) -> None:
    """Wait until all are ready, then open the store and log `writes` times to an own run."""
    quiet_mlflow()
    import mlflow  # noqa: F401  the slow import comes before the gate, so that the race is tight

    outputs.mkdir(parents=True, exist_ok=True)
    (outputs / f"ready-{number}").touch()
    while len(list(outputs.glob("ready-*"))) < count:
        time.sleep(0.002)
    tracker = open_tracker(MlflowTracking(), outputs)
    run_id = tracker.start_run(f"worker {number}", {"worker": number}, {"number": number})
    for write in range(writes):
        tracker.log_metrics(run_id, {"test/sharpe": 0.5, "write": write}, step=write)
        tracker.log_curve(run_id, "train/reward", [(write * 10 + k, 1.0) for k in range(10)])
        tracker.set_tags(run_id, {"write": write})
    tracker.finish(run_id)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(argument) for argument in sys.argv[2:5]))
