"""`fine_tune.json`: where the model comes from, what was done to it, what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from intraday_rl.research.fine_tune.checking import Checks
from intraday_rl.research.fine_tune.checks import Prepared
from intraday_rl.research.fine_tune.gate import Decision
from intraday_rl.research.fine_tune.job import Job
from intraday_rl.research.fine_tune.lineage import (
    facts_of,
    lineage_of,
    options_described,
    spans_described,
)
from intraday_rl.tasks import FineTune

SCHEMA_VERSION = 1


def document(
    prepared: Prepared,
    job: Job,
    options: FineTune,
    checks: Checks,
    result: dict[str, Any],
    decision: Decision,
    registry: dict[str, Any],
) -> dict[str, Any]:
    """Content of `fine_tune.json`."""
    return {
        "schema_version": SCHEMA_VERSION,
        **facts_of(prepared, job.run.key),
        "outcome": "promoted" if registry["alias_moved"] else "kept",
        "parent": lineage_of(prepared),
        "options": options_described(options),
        **spans_described(prepared),
        "coverage": prepared.coverage.as_dict(),
        "checks": [asdict(check) for check in checks.done],
        "training": result["training"],
        "gate": decision_described(decision),
        "metrics": result["metrics"],
        "drift": result["drift"] or None,
        "registry": registry,
    }


def decision_described(decision: Decision) -> dict[str, Any]:
    """The gate's decision as plain values."""
    return {
        **asdict(decision),
        "reason": decision.reason.value,
        "finding": decision.finding.value,
        "comparisons": [asdict(one) for one in decision.comparisons],
    }
