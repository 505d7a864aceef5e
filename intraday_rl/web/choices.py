"""Which of a configuration's options travel over the wire.

Left out are addresses and paths, and what the server decides for all its jobs: where runs are
written, tracked and registered, how many processes they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from intraday_rl.saved_plan import SavedPlan
from intraday_rl.web.agent_choices import AgentChoices, path_of
from intraday_rl.web.standing import stand_on

Field = Mapping[str, Any]
DATA_KINDS = ("synthetic", "store")
GROUPS_NOT_TAKEN = ("tracking",)
TOP = ("symbol", "benchmark", "seeds")
SECTIONS = ("env", "selection", "gates")
ADDRESSES = ("data.store", "task.model")  # a model is named by a rule of its own


class Choices:
    """What a request may choose and set, of everything that `described()` says there is."""

    def __init__(self, described: Mapping[str, Any], presets: Mapping[str, Any]) -> None:
        self.presets = presets
        self.groups: dict[str, dict[str, Any]] = {}
        for name, group in described["groups"].items():
            if name not in GROUPS_NOT_TAKEN:
                options = {
                    option: {**content, "fields": _taken(content["fields"])}
                    for option, content in group["options"].items()
                    if name != "data" or content["kind"] in DATA_KINDS
                }
                self.groups[name] = {**group, "options": options}
        top = _taken(described["sections"][""])
        self.top = [field for field in top if field["name"] in TOP]
        self.sections = {name: _taken(described["sections"][name]) for name in SECTIONS}
        self.fine_tune = _taken(described["tasks"]["fine_tune"]["fields"])
        self.agent = AgentChoices(described["tasks"]["paper"])
        self.help = {name: task["help"] for name, task in described["tasks"].items()}

    def stand_on(self, record: SavedPlan, own_words: Sequence[str]) -> None:
        """Take defaults from what a server was started with; before a `Wire` is made of them."""
        fields = [*self.top, *(one for part in self.sections.values() for one in part)]
        stand_on(self.groups, fields, record, own_words)
        self.agent.stand_on(record)

    def shown(self) -> dict[str, Any]:
        """The answer of `/api/schema`."""
        return {
            "groups": self.groups,
            "tasks": {
                "walk_forward": {
                    "help": self.help["walk_forward"],
                    "groups": list(self.groups),
                    "presets": list(self.presets),
                    "fields": [
                        *self.top, *(one for part in self.sections.values() for one in part)
                    ],
                },
                "fine_tune": {
                    "help": self.help["fine_tune"],
                    "groups": ["data"],
                    "presets": [],
                    "fields": [*self.top[:2], *self.fine_tune],
                },
                "agent": {
                    "help": self.agent.help,
                    "groups": ["data"],
                    "presets": [],
                    "fields": self.agent.shown(self.top[:2]),
                },
            },
        }  # fmt: skip

    def keys_of(self, preset: str) -> frozenset[str]:
        """Which keys a preset sets."""
        values = self.presets[preset]["values"]
        return frozenset(".".join(path) for path, _ in _flat(values, ()))

    def payload_of(self, preset: str) -> dict[str, Any]:
        """What a request without that preset would say to mean the same."""
        content = self.presets[preset]
        payload: dict[str, Any] = {}
        for group, option in content["choices"].items():
            _place(payload, group.split("/"))["kind"] = option
        for key, value in _flat(content["values"], ()):
            part = key[:-1]
            group = "/".join(part)
            target = _place(payload, part)
            if group in self.groups:
                target.setdefault("kind", self.groups[group]["default"])
            target[key[-1]] = value
        return payload


def _taken(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each with the place that it has in a payload."""
    return [{**field, "path": path_of(field)} for field in fields if field["key"] not in ADDRESSES]


def _place(payload: dict[str, Any], path: list[str] | tuple[str, ...]) -> dict[str, Any]:
    for name in path:
        payload = payload.setdefault(name, {})
    return payload


def _flat(values: Mapping[str, Any], path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in values.items():
        here = (*path, key)
        found += _flat(value, here) if isinstance(value, Mapping) else [(here, value)]
    return found
