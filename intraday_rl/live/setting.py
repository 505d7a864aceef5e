"""From a plan to what a session needs: the model, the day, its history, the account it opens with.

| account | opens with |
|---|---|
| of an agent | what its newest closed session before the day left |
| of a replay, in the model's own test | what the backtest's ledger had, walked again |
| else | the initial equity and the moments of a hold in training |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from intraday_rl.dataset import Dataset, open_dataset
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.live.account import Opening
from intraday_rl.live.book import SessionBook
from intraday_rl.live.clock import Clock
from intraday_rl.live.days import JOURNAL, next_session
from intraday_rl.live.journal import Journal
from intraday_rl.live.opening import new_account, opening_from
from intraday_rl.loading import load_market
from intraday_rl.market.calendar import sessions
from intraday_rl.market.scaling import FeatureSchema
from intraday_rl.market.sources import MarketData
from intraday_rl.model_choice import choose_model
from intraday_rl.outcome import Context
from intraday_rl.plan import Plan
from intraday_rl.records import SeedFolder, state_folder
from intraday_rl.stage import Stage
from intraday_rl.tasks import BrokerKind, FeedKind, Paper, parse_day
from intraday_rl.trading.book import RUIN_FRACTION
from intraday_rl.trading.ledger import read_ledger
from intraday_rl.trained_model import TrainedModel, open_to_play

LEDGER, CONTENT = "ledger.parquet", "session.json"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a session is played with.

    plan      the model's own, on the data of the command line
    market    all its bars, those of the day too where they are there already
    history   bars up to the session before
    backtest  the ledger of the model's own test, if the day lies in it
    folder    where the journal lies; outputs: where the result is shown
    """

    plan: Plan
    task: Paper
    model: TrainedModel
    day: date
    market: MarketData
    history: MarketData
    backtest: pd.DataFrame | None
    folder: Path
    outputs: Path

    def opening(self) -> Opening:
        """The account that the session begins with."""
        dataset = open_dataset(self.plan, self.history, keep_features=False)
        self._check_schema(dataset)
        before = None if self.task.agent is None else last_closed(self.folder.parent, self.day)
        if before is not None:
            least = self.plan.env.initial_equity * RUIN_FRACTION
            if before.equity < least:
                raise ConfigError(
                    "task.agent",
                    self.task.agent,
                    f"its account is ruined: {before.equity:.2f} USD are left of which it needs "
                    f"{least:g}; make another agent",
                )
            return before
        stage = Stage.of(dataset, self.model.fitting())
        if self.task.agent is None and self.backtest is not None:
            return opening_from(stage, self.backtest, self.day)
        return new_account(stage)

    def _check_schema(self, dataset: Dataset) -> None:
        """What the model expects to see is what these bars and settings give."""
        found = FeatureSchema.of(dataset.observation_names, dataset.features)
        self.model.bundle.schema.check(found)


def setting_of(plan: Plan, context: Context, clock: Clock, day: date | None = None) -> Setting:
    """Raises `ConfigError`, `ModelError` or `DataError` for what does not fit together.

    `day` null: the one that the task names, else today's or the next one.
    """
    task = plan.task
    assert isinstance(task, Paper)
    if day is None:
        day = parse_day("task.day", task.day) if task.day else next_session(clock.now())
    opened = opened_with(plan, task, day)
    if opened is not None and opened["broker"] != task.broker.value:
        raise ConfigError(
            "task.broker",
            task.broker.value,
            f"the session of {day} was opened with {opened['broker']}, where its orders are; go on "
            "with that one",
        )
    model = _model(plan, task, context, task.model if opened is None else str(opened["model"]))
    own = model.on(plan)
    market = load_market(own)
    history = _before(market, day)
    if task.feed is FeedKind.replay:
        _check_replay(market, day)
    else:
        _check_no_gap(history, day)
    folder, outputs = _folders(plan, task, model, day)
    return Setting(own, task, model, day, market, history, _backtest(model, day), folder, outputs)


def sessions_folder(plan: Plan) -> Path:
    """Where agents and their journals lie."""
    return state_folder(plan.paths.state) / "live"


def last_closed(folder: Path, day: date) -> Opening | None:
    """What the newest closed session of an agent before `day` left; None if there is none."""
    for earlier in sorted(folder.glob("????-??-??"), reverse=True):
        if earlier.name < str(day) and (book := _book(earlier)).closed:
            return book.after
    return None


def _book(folder: Path) -> SessionBook:
    return SessionBook.of(Journal(folder / JOURNAL).read())


def opened_with(plan: Plan, task: Paper, day: date) -> dict[str, Any] | None:
    """What an agent's session of the day was opened with: it goes on with nothing else."""
    if task.agent is None:
        return None
    journal = Journal(sessions_folder(plan) / task.agent / str(day) / JOURNAL)
    return next((one for one in journal.read() if one["event"] == "opened"), None)


def _model(plan: Plan, task: Paper, context: Context, spec: str) -> TrainedModel:
    """The model, if it is one of these bars: of another symbol or length it would act on nothing
    that it knows."""
    real = task.broker is not BrokerKind.paper
    chosen = choose_model(plan, spec, refuse_abstained=real)
    model = open_to_play(chosen, context.reload)
    for key, given, own in (
        ("symbol", plan.symbol, model.plan.symbol),
        ("data.bar_minutes", plan.data.bar_minutes, model.plan.data.bar_minutes),
    ):
        if given != own:
            raise ConfigError(key, given, f"the model was trained with {key}={own}")
    return model


def _folders(plan: Plan, task: Paper, model: TrainedModel, day: date) -> tuple[Path, Path]:
    """A replay keeps all in one folder, which names the model; an agent's journals outlive it."""
    shown = Path(plan.paths.outputs) / "paper"
    if task.agent is not None:
        return sessions_folder(plan) / task.agent / str(day), shown / task.agent / str(day)
    card = model.bundle.card
    key = str(card.facts.get("fold_key", ""))[:12]
    folder = shown / "-".join(filter(None, (str(day), card.fold, f"seed={card.seed}", key)))
    return folder, folder


def _backtest(model: TrainedModel, day: date) -> pd.DataFrame | None:
    file = SeedFolder(model.bundle.folder.parent).ledger
    if not file.is_file():
        return None
    ledger = read_ledger(file)
    return ledger if (ledger["session"] == pd.Timestamp(day)).any() else None


def _before(market: MarketData, day: date) -> MarketData:
    first, last = market.symbol.session_index()[0].date(), day - timedelta(days=1)
    if first > last:
        raise DataError(f"task.day={day}: the bars reach from {first}, and need days before it")
    return replace(
        market,
        symbol=market.symbol.between(first, last),
        benchmark=market.benchmark.between(first, last),
    )


def _check_replay(market: MarketData, day: date) -> None:
    last = market.symbol.session_index()[-1].date()
    if last < day:
        raise DataError(f"task.day={day}: the bars end on {last}; a replay needs those of the day")


def _check_no_gap(history: MarketData, day: date) -> None:
    """Features of the first bars compare with the session before: it must be there."""
    last = history.symbol.session_index()[-1].date()
    missing = sessions(last + timedelta(days=1), day - timedelta(days=1))
    if len(missing):
        raise DataError(
            f"the history ends with {last}, the session of {day} needs {len(missing)} more "
            f"({missing.index[0].date()} to {missing.index[-1].date()}): task=download or "
            "task=import brings them"
        )
