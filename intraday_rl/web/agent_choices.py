"""Which options of a session travel over the wire when an agent is made.

An agent plays sessions as they come, so that nothing of a replay can be said; where its bars grow
is the server's own affair, and a real account is for the command line alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from intraday_rl.saved_plan import SavedPlan
from intraday_rl.tasks import BrokerKind, FeedKind

FEEDS = (FeedKind.file.name, FeedKind.alpaca.name)
BROKERS = (BrokerKind.paper.name, BrokerKind.alpaca.name)
RISK = "risk"
# In the order in which a form asks for them.
OPTIONS = (
    "feed", "broker", "bar_grace_seconds", "late_decision_seconds", "exit_lead_seconds",
    "bridge_ttl_seconds",
)  # fmt: skip
# Shown only beside these values of another field: the paper broker has no bridge that could fail.
APPLIES = {"bridge_ttl_seconds": {"path": ["broker"], "values": [BrokerKind.alpaca.name]}}
_AUTO_RESTART = {
    "name": "auto_restart",
    "key": "auto_restart",
    "path": ["auto_restart"],
    "type": "boolean",
    "nullable": False,
    "default": True,
    "required": False,
    "choices": [],
    "unit": "",
    "help": "a session whose process died goes on; without it, it only closes",
    "range": None,
}


class AgentChoices:
    """`options`: of the task itself; `risk`: of its limits."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        fields = {one["name"]: one for one in described["fields"]}
        self.help = (
            "Make an agent that plays every session with one model, on an account of its own."
        )
        self._name = {
            **fields["agent"],
            "name": "name",
            "key": "name",
            "path": ["name"],
            "nullable": False,
            "required": True,
            "help": "small letters, digits and dashes, 32 at most; its account and orders bear it",
        }
        self._model = {
            **fields["model"],
            "path": ["model"],
            "help": "champion, latest, a version, or a run; <run>/<window>/seed=<n> is one fit",
        }
        self.options = [_taken(fields[name]) for name in OPTIONS]
        self.risk = [_taken(one) for one in described["parts"][RISK]["fields"]]
        self._restrict("feed", FEEDS, FeedKind.file.name)
        self._restrict("broker", BROKERS, BrokerKind.paper.name)

    def stand_on(self, record: SavedPlan) -> None:
        """A server that knows no folder of bars offers what it can."""
        if not (record.values.get("task") or {}).get("feed_folder"):
            self._field("feed")["default"] = FeedKind.alpaca.name

    def shown(self, top: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The fields of a form, `top` among them."""
        return [self._name, self._model, *top, *self.options, _AUTO_RESTART, *self.risk]

    def _restrict(self, name: str, choices: Sequence[str], default: str) -> None:
        self._field(name).update(choices=list(choices), default=default)

    def _field(self, name: str) -> dict[str, Any]:
        return next(one for one in self.options if one["name"] == name)


def path_of(field: Mapping[str, Any]) -> list[str]:
    """The place that an option has in a payload."""
    key: str = field["key"]
    return key.removeprefix("task.").split(".")


def _taken(field: Mapping[str, Any]) -> dict[str, Any]:
    applies = APPLIES.get(field["name"])
    return {**field, "path": path_of(field), **({"applies": applies} if applies else {})}
