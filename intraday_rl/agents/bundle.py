"""A trained agent is one folder; reading it executes nothing that lies in it."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intraday_rl.agents.actor import ActorPolicy
from intraday_rl.agents.baselines import FlatPolicy, HoldPolicy, RandomPolicy
from intraday_rl.agents.card import Card
from intraday_rl.agents.policy import Policy
from intraday_rl.errors import IntradayRLError, ModelError
from intraday_rl.market.scaling import FeatureSchema, Scaler

ACTOR, SB3_ZIP = "actor.npz", "sb3.zip"
# Of every agent that learns; each library keeps tensors in its own kind of file.
TRAINING_STATES = {"sac": "training_state.pt", "sac_jax": "training_state.npz"}
SCHEMA, PLAN, CARD = "schema.json", "plan.yaml", "card.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """What was learned, as bytes and arrays; a baseline has none of it.

    actor            layers by name (`ActorPolicy.as_arrays`): all that prediction needs
    training_state   actor, critics, entropy coefficient and their optimisers, for fine-tuning
    sb3_zip          the model as stock Stable-Baselines3, or SBX, saves it, for use elsewhere
    """

    actor: Mapping[str, NDArray[np.float32]] | None = None
    training_state: bytes | None = None
    sb3_zip: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A trained agent as read from its folder."""

    folder: Path
    policy: Policy
    observation_names: tuple[str, ...]
    schema: FeatureSchema
    scaler: dict[str, object]
    card: Card
    plan_yaml: str

    @property
    def training_state(self) -> Path:
        """The file that `load_training_state` of the agent's learner reads; a baseline has none."""
        name = TRAINING_STATES.get(self.card.agent)
        if name is None:
            raise ModelError(f"bundle {self.folder}: agent={self.card.agent} was never trained")
        return _existing(self.folder / name)


def save_bundle(
    folder: Path,
    policy_state: PolicyState,
    schema: FeatureSchema,
    scaler_dict: Mapping[str, object],
    plan_yaml: str,
    card: Card,
) -> Path:
    """Write the folder whole or not at all; an older bundle of the same name is replaced.

    | file | holds | read by |
    |---|---|---|
    | actor.npz | the actor's layers (if learned) | every prediction, by numpy, pickles refused |
    | training_state.pt | networks and optimisers (`sac`) | fine-tuning, `weights_only` |
    | training_state.npz | the same (`sac_jax`) | fine-tuning, by numpy, pickles refused |
    | sb3.zip | the stock zip (if learned) | SB3 or SBX elsewhere, never here: it holds pickles |
    | schema.json | ordered observation names, settings, hash, scaler | every prediction |
    | plan.yaml, card.json | the resolved configuration; the origin | people, fine-tuning |
    """
    document = _schema_document(schema, scaler_dict)
    learned = (policy_state.actor, policy_state.training_state, policy_state.sb3_zip)
    if any((part is not None) != (card.agent in TRAINING_STATES) for part in learned):
        raise ModelError(
            f"bundle {folder}: agent={card.agent} does not fit its policy state: "
            "what learned needs actor, training state and zip, a baseline has none"
        )
    files = {
        SCHEMA: _json_bytes(document),
        PLAN: plan_yaml.encode(),
        CARD: _json_bytes(card.as_dict()),
    }
    if policy_state.actor is not None:
        _check_width(ActorPolicy.from_arrays(policy_state.actor), schema.names, folder)
        files[ACTOR] = _npz_bytes(policy_state.actor)
    if policy_state.training_state is not None:
        files[TRAINING_STATES[card.agent]] = policy_state.training_state
    if policy_state.sb3_zip is not None:
        files[SB3_ZIP] = policy_state.sb3_zip
    _write_folder(folder, files)
    return folder


def load_bundle(folder: Path) -> Bundle:
    """Everything but the training state; a missing or foreign file is a `ModelError`."""
    folder = _existing(folder)
    schema, scaler = _read_schema(folder)
    card = _read_card(folder)
    return Bundle(
        folder=folder,
        policy=_read_policy(folder, card, schema.names),
        observation_names=schema.names,
        schema=schema,
        scaler=scaler,
        card=card,
        plan_yaml=_read_text(folder / PLAN),
    )


def load_policy(folder: Path) -> tuple[Policy, tuple[str, ...]]:
    """The policy and the ordered names of what it wants to see: all that serving needs."""
    folder = _existing(folder)
    names = _read_schema(folder)[0].names
    return _read_policy(folder, _read_card(folder), names), names


def _read_policy(folder: Path, card: Card, names: tuple[str, ...]) -> Policy:
    if card.agent == "flat":
        return FlatPolicy()
    if card.agent == "hold":
        return HoldPolicy()
    if card.agent == "random":
        return RandomPolicy(np.random.default_rng(card.seed))
    path = _existing(folder / ACTOR)
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    with _naming(path):
        actor = ActorPolicy.from_arrays(arrays)
    _check_width(actor, names, folder)
    return actor


def _read_schema(folder: Path) -> tuple[FeatureSchema, dict[str, object]]:
    path = folder / SCHEMA
    document = _read_json(path)
    scaler = document.get("scaler")
    if not isinstance(scaler, dict):
        raise ModelError(f"{path}: scaler is missing: restore the bundle from its run")
    with _naming(path):
        schema = FeatureSchema.from_dict(
            {"names": document.get("observation_names"), "settings": document.get("settings")}
        )
        expected = _schema_document(schema, scaler)
    for key in sorted({*expected, *document}):
        if document.get(key) != expected.get(key):
            raise ModelError(
                f"{path}: {key}={document.get(key)} does not fit its names and "
                f"settings, expected {expected.get(key)}: restore the bundle from its run"
            )
    return schema, scaler


def _schema_document(schema: FeatureSchema, scaler_dict: Mapping[str, object]) -> dict[str, object]:
    scaler = Scaler.from_dict(scaler_dict)
    foreign = sorted(set(scaler.names) - set(schema.names))
    if foreign:
        raise ModelError(
            f"scaler: {', '.join(foreign)} not among the observation's columns: "
            "use the scaler of the same features"
        )
    return {
        "observation_names": list(schema.names),
        "n_obs": len(schema.names),
        "settings": dict(schema.settings),
        "hash": schema.hash(),
        "scaler": scaler.as_dict(),
    }


def _read_card(folder: Path) -> Card:
    document = _read_json(folder / CARD)
    with _naming(folder / CARD):
        return Card.from_dict(document)


def _check_width(actor: ActorPolicy, names: tuple[str, ...], folder: Path) -> None:
    if actor.n_obs != len(names):
        raise ModelError(
            f"bundle {folder}: the actor takes {actor.n_obs} values and the schema names "
            f"{len(names)}: use actor and schema of the same run"
        )


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ModelError(f"{path} does not exist: give the folder of a bundle a run has written")
    return path


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Whatever a file's content is refused for, the message begins with the file."""
    try:
        yield
    except IntradayRLError as error:
        raise ModelError(f"{path}: {error}") from error


def _read_text(path: Path) -> str:
    try:
        return _existing(path).read_text(encoding="utf-8")
    except (ValueError, OSError) as error:
        raise _damaged(path, error) from error


def _read_json(path: Path) -> dict[str, object]:
    try:
        document = json.loads(_read_text(path))
    except ValueError as error:
        raise _damaged(path, error) from error
    if not isinstance(document, dict):
        raise ModelError(f"{path} is not a table: restore the bundle from its run")
    return document


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path} cannot be read ({error}): restore the bundle from its run")


def _json_bytes(document: Mapping[str, object]) -> bytes:
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()


def _npz_bytes(arrays: Mapping[str, NDArray[np.float32]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Into a sibling first, then one rename: a reader sees the old folder or the new one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    workplace = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fresh = workplace / "new"
        fresh.mkdir()
        for name, content in files.items():
            with (fresh / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            folder.rename(workplace / "old")  # a folder that is not empty cannot be replaced
        fresh.rename(folder)
    finally:
        shutil.rmtree(workplace)
