"""Everything that is checked before a step is taken, each by name, in the order of its cost."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, fields

from intraday_rl.agents.sac import SacJax
from intraday_rl.dataset import Dataset, open_dataset
from intraday_rl.errors import ConfigError, DataError, ModelError
from intraday_rl.loading import load_market
from intraday_rl.market.coverage import Coverage, coverage
from intraday_rl.market.scaling import FeatureSchema, Scaler, check_names
from intraday_rl.market.sources import KNOWN_BENCHMARKS, MarketData
from intraday_rl.market.synthetic import SyntheticData
from intraday_rl.model_choice import choose_model
from intraday_rl.outcome import Context
from intraday_rl.plan import Plan
from intraday_rl.research.fine_tune.checking import Checks
from intraday_rl.research.fine_tune.overrides import COST_BOOK, FILL_RULE, SETTINGS, check_asked
from intraday_rl.research.fine_tune.spans import FEWEST_SESSIONS, Spans, spans_of
from intraday_rl.research.fine_tune.tuning import check_batch
from intraday_rl.stage import Stage
from intraday_rl.tasks import FineTune
from intraday_rl.trained_model import TrainedModel, open_model

logger = logging.getLogger(__name__)

APPENDING = ("end", "bar_minutes")  # of synthetic bars: more of the same; checked by itself


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a fine-tune needs, checked; `plan` is the model's own on the data of now."""

    parent: TrainedModel
    plan: Plan
    stage: Stage
    spans: Spans
    coverage: Coverage

    @property
    def dataset(self) -> Dataset:
        return self.stage.dataset


def prepare(plan: Plan, context: Context, checks: Checks) -> Prepared:
    """Choose the model and open the data; `task.*` names the sessions."""
    task: FineTune = plan.task
    parent = choose_parent(plan, context, task.model, checks)
    market = fitting_market(plan, parent, checks)
    days = [day.date() for day in market.symbol.session_index()]
    spans = checks.need(
        "sessions",
        lambda: spans_of(
            days,
            days=task.days,
            sessions=task.sessions,
            holdout_sessions=task.holdout_sessions,
        ),
        _said_of,
    )
    checks.want("held-out days", lambda: check_unseen(parent, spans))
    stage = open_stage(plan, parent, market, checks)
    checks.want("warm-up", lambda: _warm(stage, spans))
    checks.want("batch", lambda: _batch(stage, parent, spans, task))
    found = coverage(market.symbol, spans.tuning[0], spans.held_out[-1])
    return Prepared(parent, stage.dataset.plan, stage, spans, found)


def choose_parent(plan: Plan, context: Context, spec: str, checks: Checks) -> TrainedModel:
    """The model that `spec` names, read without executing anything, and agreeing with the words
    of the command."""
    parent = checks.need(
        "model",
        lambda: open_model(choose_model(plan, spec), context.reload),
        lambda found: f"{found.bundle.folder} loads, without executing anything in it",
    )
    checks.want("agent", lambda: _check_agent(parent))
    text = parent.bundle.plan_yaml
    defaults = context.defaults() if context.defaults else context.record

    def agrees(sections: tuple[str, ...], found: str) -> str:
        check_asked(sections, context.record, defaults, text, context.command)
        return found

    checks.want("settings", lambda: agrees(SETTINGS, "agent, reward and features are the model's"))
    checks.want("cost book", lambda: agrees(COST_BOOK, "costs are the model's"))
    checks.want("fill rule", lambda: agrees(FILL_RULE, "fills, cutoff and orders are the model's"))
    return parent


def fitting_market(plan: Plan, parent: TrainedModel, checks: Checks) -> MarketData:
    """The bars of now, if the model can read them."""
    own = parent.plan

    checks.need("symbol", lambda: _check_symbol(plan, own), lambda found: found)
    checks.want("source", lambda: _check_source(plan, own))
    checks.want("benchmark", lambda: _check_benchmark(plan, own))
    checks.need("bar length", lambda: _check_bar_length(plan, own), lambda found: found)
    return checks.need(
        "bars",
        lambda: load_market(parent.on(plan)),
        lambda found: f"{found.source}, {len(found.symbol.frame)} of the symbol",
    )


def open_stage(
    plan: Plan, parent: TrainedModel, market: MarketData, checks: Checks, *, keep: bool = True
) -> Stage:
    """Features of the bars, checked against what the model was made with."""
    dataset = checks.need(
        "features",
        lambda: _checked_dataset(plan, parent, market, keep=keep and not plan.dry_run),
        lambda found: f"{len(found.observation_names)} columns, order and settings are the model's",
    )
    scaler = parent.fitting().scaler
    checks.need("scaler", lambda: _check_scaler(scaler, dataset), lambda found: found)
    return Stage.of(dataset, parent.fitting())


def _said_of(spans: Spans) -> str:
    found = f"{len(spans.tuning)} to tune on, {len(spans.held_out)} held out"
    if len(spans.held_out) < FEWEST_SESSIONS:
        return f"{found}: fewer than {FEWEST_SESSIONS} prove nothing, the champion would stay"
    return found


def check_unseen(parent: TrainedModel, spans: Spans) -> str:
    """The days that judge must be new to the model, or the comparison would favour it."""
    seen = dt.date.fromisoformat(parent.last_seen)
    if spans.held_out[0] > seen:
        return f"new to the model, which saw days up to {seen}"
    raise DataError(
        f"held-out session {spans.held_out[0]} was seen in training or choice, which reached to "
        f"{seen}; give bars with at least {len(spans.held_out)} sessions after {seen}, or hold "
        "out fewer (task.holdout_sessions)"
    )


def _check_agent(parent: TrainedModel) -> str:
    agent = parent.agent
    if isinstance(agent, SacJax):
        agent.check_installed()
    can = f"{parent.bundle.card.agent} learned, and can be trained here"
    return (
        f"{can}; it abstained: what is tuned from it is never promoted" if parent.abstained else can
    )


def _checked_dataset(
    plan: Plan, parent: TrainedModel, market: MarketData, *, keep: bool
) -> Dataset:
    dataset = open_dataset(parent.on(plan), market, keep_features=keep)
    parent.bundle.schema.check(FeatureSchema.of(dataset.observation_names, dataset.features))
    return dataset


def _check_scaler(scaler: Scaler, dataset: Dataset) -> str:
    check_names(scaler.names, dataset.table.names, "scaler")
    return f"the model's, of {len(scaler.names)} columns, not fitted again"


def _check_symbol(plan: Plan, own: Plan) -> str:
    if plan.symbol == own.symbol:
        return plan.symbol
    raise ModelError(f"symbol={plan.symbol}: the model was trained on {own.symbol}")


def _check_source(plan: Plan, own: Plan) -> str:
    synthetic, was = (isinstance(one.data, SyntheticData) for one in (plan, own))
    if synthetic == was:
        differing = other_synthetic_bars(plan, own)
        if differing:
            logger.warning("not the bars that the model was trained on: %s", differing)
            return f"synthetic, but not the bars of training: {differing}"
        return "synthetic, as in training" if synthetic else "real bars, as in training"
    kinds = {True: "synthetic", False: "real"}
    raise ModelError(
        f"data: {kinds[synthetic]} bars for a model that was trained on {kinds[was]} ones"
    )


def other_synthetic_bars(plan: Plan, own: Plan) -> str:
    """Which options make the plan's synthetic bars others than the model's own; empty if none do.

    A later end only appends. Other bars are no mistake, as where the market is to change, but what
    was learned from one signal is not there in bars without it.
    """
    now, then = plan.data, own.data
    if not (isinstance(now, SyntheticData) and isinstance(then, SyntheticData)):
        return ""
    return ", ".join(
        f"data.{one.name}={getattr(now, one.name)} (in training {getattr(then, one.name)})"
        for one in fields(SyntheticData)
        if one.name not in APPENDING and getattr(now, one.name) != getattr(then, one.name)
    )


def _check_benchmark(plan: Plan, own: Plan) -> str:
    found, was = _benchmark(plan), _benchmark(own)
    if found == was:
        return found
    raise ModelError(
        f"benchmark: {found}, the model was trained with {was}; "
        "set benchmark and data.benchmark_path as in training"
    )


def _benchmark(plan: Plan) -> str:
    if getattr(plan.data, "benchmark_path", "") is None:
        return "its own series"
    return plan.benchmark or KNOWN_BENCHMARKS.get(plan.symbol, "without a name")


def _check_bar_length(plan: Plan, own: Plan) -> str:
    minutes = own.data.bar_minutes
    if plan.data.bar_minutes == minutes:
        return f"{minutes} minutes"
    raise ConfigError(
        "data.bar_minutes",
        plan.data.bar_minutes,
        f"the model was trained on bars of {minutes} minutes; set data.bar_minutes={minutes}",
    )


def _warm(stage: Stage, spans: Spans) -> str:
    stage.problem((*spans.tuning, *spans.held_out))
    return "every session has complete features"


def _batch(stage: Stage, parent: TrainedModel, spans: Spans, task: FineTune) -> str:
    decisions, batch = stage.decisions(spans.tuning), parent.agent.batch_size
    check_batch(decisions, batch, task)
    return f"{decisions} decisions refill the replay memory, a batch is {batch}"
