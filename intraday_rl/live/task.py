"""`task=paper`: a past session played by a trained model with the bars known so far."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from intraday_rl.dataset import open_dataset
from intraday_rl.errors import ConfigError, DataError
from intraday_rl.live.clock import ReplayClock
from intraday_rl.live.day import Opening, TradingDay
from intraday_rl.live.feed import ReplayFeed
from intraday_rl.live.journal import Journal
from intraday_rl.live.opening import new_account, opening_from
from intraday_rl.live.replayed import difference, play
from intraday_rl.loading import load_market
from intraday_rl.market.sources import MarketData
from intraday_rl.model_choice import choose_model
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Format, Plan
from intraday_rl.records import SeedFolder, write_json
from intraday_rl.stage import Stage
from intraday_rl.tasks import Paper, parse_day
from intraday_rl.trading.ledger import COSTS, read_ledger, write_ledger
from intraday_rl.trained_model import TrainedModel, open_to_play


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=paper`; written below `paths.outputs/paper`. Status 1 if it differs."""
    task = _task(plan)
    day = parse_day("task.day", task.day)
    model = _model(plan, context)
    own = model.on(plan)
    market = load_market(own)
    history = _before(market, day)
    backtest = _backtest(model, day)
    card = model.bundle.card
    opening = _opening(own, model, history, backtest, day)
    session = TradingDay(own, model.fitting(), history, day, opening)
    folder = Path(plan.paths.outputs) / "paper" / f"{day}-{card.fold}-seed={card.seed}"
    clock = ReplayClock(pd.Timestamp(session.calendar["open"].iloc[0]), task.speed)
    journal_file = folder / "journal.jsonl"
    journal_file.unlink(missing_ok=True)  # a replay is begun anew; it sends no orders
    with Journal(journal_file) as journal:
        journal.write("opened", str(clock.now()), model=str(model.bundle.folder), **_plain(opening))
        played = play(
            session, model.bundle.policy, clock, ReplayFeed(market), journal, card.fold, card.seed
        )
        journal.write("closed", str(clock.now()), **_plain(played.after))
    write_ledger([played.ledger], folder / "ledger.parquet")
    rows = None if backtest is None else backtest[backtest["session"] == pd.Timestamp(day)]
    content = _content(model, day, played.ledger, opening, rows)
    write_json(folder / "session.json", content)
    _print(plan, content, folder)
    return Outcome(math.nan, 1 if content["differences"] else 0)


def show(plan: Plan, context: Context) -> int:
    """The dry run: the model, the day and what it would be compared with; nothing is played."""
    task = _task(plan)
    day = parse_day("task.day", task.day)
    model = _model(plan, context)
    market = load_market(model.on(plan))
    sessions = len(_before(market, day).symbol.session_index())
    compared = "nothing" if _backtest(model, day) is None else "the backtest's ledger"
    sys.stdout.write(
        f"{model.bundle.folder}: {day} after {sessions} sessions of history, compared with "
        f"{compared}\ndry run: nothing was played, nothing was written\n"
    )
    return 0


def _model(plan: Plan, context: Context) -> TrainedModel:
    """The model, if it is one of these bars: of another symbol or length it would act on nothing
    that it knows."""
    model = open_to_play(choose_model(plan, _task(plan).model), context.reload)
    for key, given, own in (
        ("symbol", plan.symbol, model.plan.symbol),
        ("data.bar_minutes", plan.data.bar_minutes, model.plan.data.bar_minutes),
    ):
        if given != own:
            raise ConfigError(key, given, f"the model was trained with {key}={own}")
    return model


def _opening(
    plan: Plan, model: TrainedModel, history: MarketData, backtest: pd.DataFrame | None, day: date
) -> Opening:
    stage = Stage.of(open_dataset(plan, history, keep_features=False), model.fitting())
    return new_account(stage) if backtest is None else opening_from(stage, backtest, day)


def _backtest(model: TrainedModel, day: date) -> pd.DataFrame | None:
    """The ledger of the model's own test, if the day lies in it."""
    file = SeedFolder(model.bundle.folder.parent).ledger
    if not file.is_file():
        return None
    ledger = read_ledger(file)
    return ledger if (ledger["session"] == pd.Timestamp(day)).any() else None


def _before(market: MarketData, day: date) -> MarketData:
    first, last = market.symbol.session_index()[0].date(), day - timedelta(days=1)
    if first > last or market.symbol.session_index()[-1].date() < day:
        raise DataError(f"task.day={day}: the bars reach from {first}, and need days before it")
    benchmark = market.benchmark.between(first, last)
    symbol = market.symbol.between(first, last)
    return replace(market, symbol=symbol, benchmark=benchmark)


def _content(
    model: TrainedModel,
    day: date,
    ledger: pd.DataFrame,
    opening: Opening,
    backtest: pd.DataFrame | None,
) -> dict[str, Any]:
    last = ledger.iloc[-1]
    return {
        "schema_version": 1,
        "day": str(day),
        "model": str(model.bundle.folder),
        "in_sample": str(day) <= model.last_seen,
        "abstained": model.abstained,
        "equity_before": opening.equity,
        "equity_after": float(last["equity_after"]),
        "net_return_bps": (float(last["equity_after"]) / opening.equity - 1.0) * 1e4,
        "costs_usd": {name: float(ledger[name].sum()) for name in COSTS},
        "orders": int((ledger["shares_traded"] != 0).sum()),
        "exit_time": str(last["bar_end"]),
        "exit_shares": float(last["shares_after"]),
        "compared_with_backtest": backtest is not None,
        "differences": [] if backtest is None else difference(ledger, backtest),
    }


def _print(plan: Plan, content: dict[str, Any], folder: Path) -> None:
    if plan.format is Format.json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return
    console = Console() if sys.stdout.isatty() else Console(width=170)

    def say(line: str, style: str | None = None) -> None:
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    exit_time = pd.Timestamp(content["exit_time"]).tz_convert("America/New_York")
    say(
        f"{content['day']}: {content['net_return_bps']:+.2f} bps after costs of "
        f"{sum(content['costs_usd'].values()):.2f} USD, {content['orders']} orders, flat at "
        f"{exit_time:%H:%M} New York"
    )
    if content["in_sample"]:
        say("in sample: the model was trained or chosen on this day; nothing is proven", "yellow")
    if content["abstained"]:
        say("this model abstained: it may not trade for real", "yellow")
    if not content["compared_with_backtest"]:
        say("no backtest of this model holds the day: nothing to compare with")
    elif content["differences"]:
        say("differs from the backtest:", "red")
        for line in content["differences"]:
            say(f"  {line}")
    else:
        say("the backtest's ledger of this day, to the last bit")
    say(str(folder))


def _plain(opening: Opening) -> dict[str, float]:
    return {
        "equity": opening.equity,
        "moment_a": opening.moment_a,
        "moment_b": opening.moment_b,
    }


def _task(plan: Plan) -> Paper:
    assert isinstance(plan.task, Paper)
    return plan.task
