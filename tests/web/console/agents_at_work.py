"""A roster as sessions leave it: agents that trade, wait, are halted or have failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from intraday_rl.agents.card import Card
from intraday_rl.records import RunFolder, write_json, write_text
from intraday_rl.roster.store import Roster
from intraday_rl.tracking.registry_file import (
    ModelVersion,
    RegisteredModel,
    Registry,
    write_registry,
)

DAY, BEFORE = "2022-03-14", "2022-03-11"
MODEL = "intraday_rl.synthetic.TQQQ.sac"
WORDS = ("task=paper", "task.model=champion", "symbol=TQQQ", "task.feed=file")


def roster_of(folder: Path) -> Roster:
    """Of the server that lies in `folder`."""
    return Roster(folder / "state" / "live")


def register(folder: Path) -> None:
    """A champion whose bundle is there, so that an agent can be made with it."""
    outputs = folder / "outputs"
    bundle = RunFolder.of(str(outputs), "run1").path / "folds" / "w" / "seed=0" / "bundle"
    card = Card(agent="sac", fold="w", seed=0, a0=0.0, b0=0.0, data_fingerprint="", code_hash="")
    write_json(bundle / "card.json", card.as_dict())
    tags = {"bundle": str(bundle.relative_to(outputs)), "symbol": "TQQQ",
            "data_source": "synthetic", "train_end": "2022-01-31", "run_key": "run1"}  # fmt: skip
    version = ModelVersion(MODEL, 1, 0, "", "", tags)
    model = RegisteredModel(MODEL, (version,), {"champion": 1})
    write_registry(outputs, Registry(None, {MODEL: model}))


def now() -> str:
    return datetime.now(UTC).isoformat()


def make(roster: Roster, name: str, *, starts: bool = True) -> None:
    roster.create(name, {"name": name, "model": "champion"}, WORDS, auto_restart=True, now=now())
    if starts:
        roster.start(name, once=False, now=now())


def status(**changed: Any) -> dict[str, Any]:
    """What a session in the morning of `DAY` says of itself."""
    return {
        "day": DAY,
        "state": "trading",
        "time": f"{DAY} 14:35:02+00:00",
        "cutoff": f"{DAY} 19:45:00+00:00",
        "risk_state": "ACTIVE",
        "risk_reason": None,
        "position": 1_250.0,
        "last_bar_end": f"{DAY} 14:35:00+00:00",
        "last_bar_age_seconds": 2.0,
        "equity_before": 100_000.0,
        "equity": 100_413.0,
        "decisions": 13,
        "skipped": 1,
        "broker": "paper",
        "orders": [order(1), order(2, shares=-250.0)],
        **changed,
    }


def order(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "client_id": f"irl-alpha-20220314-{number}",
        "time": f"{DAY} 14:{30 + number}:00+00:00",
        "purpose": "decision",
        "shares": 1_500.0,
        "state": "filled",
        "filled": 1_500.0,
        "average_price": 51.2375,
        "reason": None,
        **changed,
    }


def trade(roster: Roster, name: str, **changed: Any) -> None:
    """A session that is on, as its process would tell."""
    roster.process(name, 4_000_000, 1.5, 0)
    roster.show(name, status(**changed))


def journal(roster: Roster, name: str, *entries: dict[str, Any]) -> None:
    """Lines of the session of `DAY`."""
    numbered = [
        {"number": number, "time": f"{DAY} 14:35:00+00:00", **entry}
        for number, entry in enumerate(entries)
    ]
    text = "".join(json.dumps(entry) + "\n" for entry in numbered)
    write_text(roster.sessions(name) / DAY / "journal.jsonl", text)


def finish(folder: Path, name: str, **changed: Any) -> None:
    """The session of the day before, closed, with its report."""
    result = {
        "day": BEFORE,
        "net_return_bps": -12.4,
        "equity_before": 100_124.0,
        "equity_after": 100_000.0,
        "costs_usd": {"commission": 3.1, "fees": 0.4, "slippage": 20.5},
        "slippage": {"realised_bps": 1.2, "model_bps": 1.0},
        "orders": {"sent": 9, "filled": 9, "rejected": 0},
        "skipped": {"late": 1},
        "risk": [{"time": f"{BEFORE} 20:45:00+00:00", "state": "HALTED", "reason": "cutoff"}],
        "alarms": ["the broker did not answer for 12 s"],
        "findings": [],
        "synthetic": True,
        "exit": {
            "reason": "cutoff",
            "due": f"{BEFORE} 20:45:00+00:00",
            "filled_at": f"{BEFORE} 20:45:03+00:00",
            "seconds_after_due": 3.0,
        },
        **changed,
    }
    write_json(roster_of(folder).sessions(name) / BEFORE / "session.json", result)
    report = folder / "outputs" / "paper" / name / BEFORE / "report.html"
    write_text(report, "<html><body>the report</body></html>")
