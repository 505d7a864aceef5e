"""Where runs are recorded: MLflow or nothing. Importing this room does not import MLflow."""

from __future__ import annotations

from intraday_rl.tracking.parts import MlflowTracking, NoTracking
from intraday_rl.tracking.tracker import NullTracker, RunStatus, Tracker, open_tracker

__all__ = [
    "MlflowTracking",
    "NoTracking",
    "NullTracker",
    "RunStatus",
    "Tracker",
    "open_tracker",
]
