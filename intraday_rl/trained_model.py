"""A trained model: its bundle, its own plan, and that plan on the data of now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from intraday_rl.agents.bundle import ACTOR, Bundle, load_bundle
from intraday_rl.agents.soft_actor_critic import SoftActorCritic
from intraday_rl.agents.state_file import check_state_file
from intraday_rl.dataset import Fitting
from intraday_rl.errors import ModelError
from intraday_rl.market.features import SessionAnchor
from intraday_rl.market.scaling import Scaler
from intraday_rl.model_choice import ChosenModel
from intraday_rl.plan import Plan
from intraday_rl.trading.book import Moments

NEEDED_FACTS = (
    "train_start",
    "train_end",
    "validation_end",
    "train_decisions_per_session",
    "downside0",
)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model that is to be tuned or to act; `plan` is its own, as it was trained."""

    chosen: ChosenModel
    bundle: Bundle
    plan: Plan

    @property
    def agent(self) -> SoftActorCritic:
        """Its hyper-parameters."""
        if not isinstance(self.plan.agent, SoftActorCritic):
            raise ModelError(
                f"{self.bundle.folder}: agent={self.bundle.card.agent} has nothing to tune; "
                "choose a model that learned"
            )
        return self.plan.agent

    def fact(self, name: str) -> str:
        """A fact of its card, as text."""
        return str(self.bundle.card.facts[name])

    @property
    def last_seen(self) -> str:
        """ISO date of the last session that trained or chose it."""
        return max(self.fact("train_end"), self.fact("validation_end"))

    @property
    def fitted_end(self) -> str:
        """ISO date of the last session of its first training, which scaler and moments are of."""
        return str(self.bundle.card.facts.get("fitted_end", self.fact("train_end")))

    @property
    def abstained(self) -> bool:
        """Its validation showed no advantage: it, and what is tuned from it, may not trade."""
        return self.bundle.card.facts.get("abstained") is True

    def fitting(self) -> Fitting:
        """Scaler and moments of its train sessions: never fitted again."""
        card = self.bundle.card
        return Fitting(
            scaler=Scaler.from_dict(self.bundle.scaler),
            moments=Moments(card.a0, card.b0, float(self.fact("downside0"))),
            decisions_per_session=float(self.fact("train_decisions_per_session")),
        )

    def on(self, plan: Plan) -> Plan:
        """Its own plan with the data, paths and tracking of the command line.

        The session anchor is the one its observations were made with: `auto` could decide
        otherwise on other bars.
        """
        anchor = SessionAnchor(self.bundle.schema.settings["session_anchor_price"])
        return replace(
            plan,
            features=replace(self.plan.features, session_anchor_price=anchor),
            env=self.plan.env,
            reward=self.plan.reward,
            agent=self.plan.agent,
            windows=self.plan.windows,
            selection=self.plan.selection,
        )

    def content_hash(self) -> str:
        """Identity of what is tuned: network, optimisers, observation and settings."""
        digest = hashlib.sha256()
        for name in (ACTOR, self.bundle.training_state.name, "schema.json", "plan.yaml"):
            digest.update(hashlib.sha256((self.bundle.folder / name).read_bytes()).digest())
        return digest.hexdigest()[:16]


def open_to_play(chosen: ChosenModel, reload: Callable[[str], Plan]) -> TrainedModel:
    """Read a bundle that is to act, not to learn on: a baseline's as well."""
    bundle = load_bundle(chosen.bundle)
    missing = [name for name in NEEDED_FACTS if name not in bundle.card.facts]
    if missing:
        raise ModelError(
            f"{bundle.folder}: its card lacks {', '.join(missing)}: train it with this version"
        )
    return TrainedModel(chosen, bundle, reload(bundle.plan_yaml))


def open_model(chosen: ChosenModel, reload: Callable[[str], Plan]) -> TrainedModel:
    """Read the bundle; nothing in it is executed, and `sb3.zip` is not opened."""
    bundle = load_bundle(chosen.bundle)
    check_state_file(bundle.training_state)
    missing = [name for name in NEEDED_FACTS if name not in bundle.card.facts]
    if missing:
        raise ModelError(
            f"{bundle.folder}: its card lacks {', '.join(missing)}: "
            "train it with this version before tuning it"
        )
    return TrainedModel(chosen, bundle, reload(bundle.plan_yaml))
