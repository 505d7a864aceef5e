"""Where a run is seen in MLflow; says it without asking MLflow."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import urlsplit

from intraday_rl.tracking.parts import MlflowTracking, NoTracking, without_password

LOCAL_PAGE = "http://127.0.0.1:5000"  # what `mlflow ui` serves unless told otherwise


def mlflow_link(
    part: MlflowTracking | NoTracking, outputs: Path, run_id: str | None
) -> dict[str, str | None] | None:
    """Address of the run on its server; for a database the command that shows it, and where.

    None for a run that is not tracked.
    """
    if not run_id or isinstance(part, NoTracking):
        return None
    place = f"/#/runs/{run_id}"
    if part.is_server():
        at = urlsplit(part.store_uri(outputs))
        host = at.netloc.rpartition("@")[2]  # who asks is not for the page
        address = f"{at.scheme}://{host}{at.path.rstrip('/')}{place}"
        return {"run_id": run_id, "address": address, "command": None, "local_address": None}
    store = without_password(part.store_uri(outputs))
    command = f"mlflow ui --backend-store-uri {shlex.quote(store)}"
    local = LOCAL_PAGE + place
    return {"run_id": run_id, "address": None, "command": command, "local_address": local}
