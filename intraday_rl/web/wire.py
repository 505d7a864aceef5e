"""Typed payloads, made from the options of the parts: what is not in them cannot be said.

Types are checked here, values by the parts themselves when the configuration is built.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, create_model
from pydantic import Field as Constraint

from intraday_rl.web.choices import Choices, Field

LARGEST_INTEGER = 2**64
LONGEST_TEXT, LONGEST_LIST = 200, 256
# latest, champion, an alias, a version, <agent>:<one of these>, <whole name>:<...>, a run's key,
# <key>/<window>/seed=<n>. No other slash, no leading dot: never a path.
MODEL = (
    r"^([A-Za-z0-9_^=-][A-Za-z0-9_.^=-]{0,150}:)?[A-Za-z0-9_-]{1,100}"
    r"(/[A-Za-z0-9_-]{1,60}/seed=[0-9]{1,10})?$"
)
AGENT = "^[a-z0-9][a-z0-9-]{0,31}$"
LONGEST_REASON = 500
CRON = r"^[0-9A-Za-z*/,#-]{1,60}( [0-9A-Za-z*/,#-]{1,60}){4}$"


def plain_text(value: str) -> str:
    """Refuse what a configuration would not take for plain text."""
    if not value.isprintable():
        raise ValueError("must be printable, on one line")
    if "${" in value or "\\" in value or value == "???":
        raise ValueError("must not hold ${ or \\, nor be ???")
    return value


Text = Annotated[
    str,
    Constraint(max_length=LONGEST_TEXT, json_schema_extra={"pattern": r"^[^\\$\x00-\x1f\x7f]*$"}),
    AfterValidator(plain_text),
]
Integer = Annotated[int, Constraint(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
Number = Annotated[float, Constraint(allow_inf_nan=False)]
Map = dict[Annotated[str, Constraint(pattern="^[a-z_]{1,32}$")], Text]
TYPES: dict[str, Any] = {
    "integer": Integer,
    "number": Number,
    "boolean": bool,
    "string": Text,
    "list of integers": Annotated[list[Integer], Constraint(max_length=LONGEST_LIST)],
    "list of numbers": Annotated[list[Number], Constraint(max_length=LONGEST_LIST)],
    "list of strings": Annotated[list[Text], Constraint(max_length=LONGEST_LIST)],
    "list of maps": Annotated[list[Map], Constraint(max_length=LONGEST_LIST)],
}


class Payload(BaseModel):
    """Base of every request: an unknown key is refused, a string is not taken for a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PromoteRequest(Payload):
    """Move an alias to a version; back is the same with the version of before."""

    model: Annotated[str, Constraint(pattern=MODEL, examples=["intraday_rl.synthetic.TQQQ.sac:1"])]
    alias: Annotated[str, Constraint(pattern="^[A-Za-z0-9_-]{1,100}$")] = "champion"
    reason: Text = "over HTTP"
    symbol: Text | None = None


class EmergencyStop(Payload):
    """Flatten, then halt until started again. A reason is any text: nothing may hold up a stop."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"agent": None, "reason": "prices look wrong"}]}
    )

    agent: Annotated[str, Constraint(pattern=AGENT)] | None = None
    reason: Annotated[str, Constraint(max_length=LONGEST_REASON)] = "over HTTP"


class Wire:
    """The models of one server's requests."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self.groups = {name: self._union(name) for name in choices.groups}
        self.walk_forward = self._walk_forward()
        self.fine_tune = self._fine_tune()
        self.agent = self._agent()

    def _walk_forward(self) -> Any:
        sections = {name: (self._section(name), None) for name in self._choices.sections}
        groups = {name: (union, None) for name, union in self.groups.items() if "/" not in name}
        preset = Literal[tuple(self._choices.presets)]  # type: ignore[valid-type]
        return self._model(
            "WalkForwardRequest",
            {
                "preset": (preset | None, None),
                **_fields(self._choices.top),
                **groups,
                **sections,
                "dry_run": (bool, False),
            },
            help=self._choices.help["walk_forward"],
            example={
                "preset": "balanced",
                "symbol": "TQQQ",
                "env": {"slippage": {"kind": "cents", "per_share": 0.01}},
                "dry_run": True,
            },
        )

    def _fine_tune(self) -> Any:
        model = Annotated[str, Constraint(pattern=MODEL)]
        cron = Annotated[str, Constraint(pattern=CRON, description="five fields, New York time")]
        return self._model(
            "FineTuneRequest",
            {
                "model": (model, ...),
                **_fields(self._choices.top[:2]),
                "data": (self.groups["data"], None),
                **_fields(self._choices.fine_tune),
                "cron": (cron | None, None),
                "dry_run": (bool, False),
            },
            help=self._choices.help["fine_tune"],
            example={"model": "champion", "symbol": "TQQQ", "days": 30, "dry_run": True},
        )

    def _agent(self) -> Any:
        choices = self._choices.agent
        risk = self._model("RiskLimits", _fields(choices.risk), help="What every order must pass.")
        return self._model(
            "AgentRequest",
            {
                "name": (Annotated[str, Constraint(pattern=AGENT)], ...),
                "model": (Annotated[str, Constraint(pattern=MODEL)], ...),
                **_fields(self._choices.top[:2]),
                "data": (self.groups["data"], None),
                **_fields(choices.options),
                "risk": (risk | None, None),
                "auto_restart": (bool, True),
            },
            help=choices.help,
            example={
                "name": "alpha",
                "model": "champion",
                "symbol": "TQQQ",
                "feed": "file",
                "risk": {"daily_loss_limit": 0.02},
            },
        )

    def _section(self, name: str) -> Any:
        inner = {
            group.partition("/")[2]: (union, None)
            for group, union in self.groups.items()
            if group.startswith(f"{name}/")
        }
        fields = _fields(self._choices.sections[name])
        return self._model(_name(name), {**fields, **inner}) | None

    def _union(self, group: str) -> Any:
        """One model for each option; `kind` says which."""
        options = self._choices.groups[group]["options"]
        models = [
            self._model(
                _name(f"{group}_{option}"),
                {"kind": (Literal[option], ...), **_fields(content["fields"])},
                help=content["help"],
            )
            for option, content in options.items()
        ]
        union = reduce(or_, models)
        if len(models) > 1:
            union = Annotated[union, Constraint(discriminator="kind")]
        return union | None

    @staticmethod
    def _model(
        name: str,
        fields: dict[str, Any],
        *,
        help: str = "",
        example: dict[str, Any] | None = None,
    ) -> Any:
        model = create_model(name, __base__=Payload, __doc__=help, **fields)
        if example is not None:
            model.model_config["json_schema_extra"] = {"examples": [example]}
            model.model_rebuild(force=True)
        return model


def _fields(fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {field["name"]: (_annotation(field), _default(field)) for field in fields}


def _annotation(field: Field) -> Any:
    kind = Literal[tuple(field["choices"])] if field["type"] == "choice" else TYPES[field["type"]]
    text = ", ".join(one for one in (field["unit"], field["help"]) if one)
    shown = Annotated[kind, Constraint(description=text)] if text else kind
    return shown | None if field["nullable"] else shown


def _default(field: Field) -> Any:
    return ... if field["required"] else field["default"]


def _name(group: str) -> str:
    return "".join(word.capitalize() for word in re.split(r"[/_]", group))
