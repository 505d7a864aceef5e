"""From a plan to bars, features, scaler and trading problems: what a fold learns from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intraday_rl.errors import DataError
from intraday_rl.loading import load_market
from intraday_rl.market import calendar, features
from intraday_rl.market.feature_table import FeatureTable
from intraday_rl.market.features import Features
from intraday_rl.market.scaling import FeatureSchema, Scaler
from intraday_rl.market.sources import MarketData
from intraday_rl.market.windows import Window
from intraday_rl.plan import Plan
from intraday_rl.trading.book import Moments, build_book
from intraday_rl.trading.fees import sec_rates, taf_rates
from intraday_rl.trading.impact_statistics import impact_statistics
from intraday_rl.trading.observation import account_columns
from intraday_rl.trading.problem import Problem
from intraday_rl.trading.rewards import REWARD_NAMES
from intraday_rl.trading.tape import Tape, build_tape, hold_returns


class Split(Enum):
    """Which sessions of a fold are played."""

    train = "train"
    validation = "validation"
    validation_first = "validation_first"  # picks checkpoints
    validation_second = "validation_second"  # scores and decides abstention
    test = "test"


@dataclass(frozen=True, slots=True)
class Dataset:
    """What happened: bars, features and the tape, over the whole span of the data."""

    plan: Plan
    features: Features  # the plan's, with the session anchor resolved once for the whole run
    market: MarketData
    table: FeatureTable
    tape: Tape
    warm: NDArray[np.bool_]  # (n_sessions,): every decision has features and impact statistics

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Ordered names of the observation."""
        return self.table.names + account_columns(self.plan.observed_account())


@dataclass(frozen=True, slots=True)
class Fitting:
    """What was fitted on an agent's train sessions and stays with it, wherever it plays."""

    scaler: Scaler
    moments: Moments
    decisions_per_session: float  # mean over the train sessions


@dataclass(frozen=True, slots=True)
class Fold:
    """A window of a dataset with what was fitted on its train sessions, and on nothing later."""

    dataset: Dataset
    window: Window
    scaler: Scaler
    moments: Moments
    fit_sessions: NDArray[np.int64]
    warm_up_sessions: int  # train sessions left out while features were warming up
    market_columns: NDArray[np.float32]  # scaled, one row per row of the tape

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Ordered names of the observation."""
        return self.dataset.observation_names

    def schema(self) -> FeatureSchema:
        """What an agent of this fold expects to see."""
        return FeatureSchema.of(self.observation_names, self.dataset.features)

    def dates(self, split: Split) -> tuple[dt.date, ...]:
        """Sessions of a split; train leaves out the warm-up."""
        if split is Split.train:
            days = self.dataset.tape.dates[self.fit_sessions]
            return tuple(day.item() for day in days)
        if split is Split.test:
            return self.window.test.sessions if self.window.test else ()
        return {
            Split.validation: self.window.validation.sessions,
            Split.validation_first: self.window.validation_first_half,
            Split.validation_second: self.window.validation_second_half,
        }[split]

    def problem(self, split: Split) -> Problem:
        """The trading problem of a split: random sessions in training, in order elsewhere."""
        dataset = self.dataset
        tape = dataset.tape
        eligible = self.fit_sessions if split is Split.train else tape.index_of(self.dates(split))
        if split is not Split.train and not dataset.warm[eligible].all():
            day = tape.dates[eligible[~dataset.warm[eligible]]][0]
            raise DataError(
                f"session {day} of the {split.value} split has no complete features or impact "
                "statistics yet; start the data earlier"
            )
        return problem_of(
            dataset,
            self.fitting,
            self.market_columns,
            eligible,
            sequential=split is not Split.train,
        )

    @property
    def fitting(self) -> Fitting:
        """What an agent of this fold takes along."""
        decisions = self.dataset.tape.sessions["decisions"][self.fit_sessions]
        return Fitting(self.scaler, self.moments, float(decisions.mean()))


def open_dataset(
    plan: Plan, market: MarketData | None = None, *, keep_features: bool = True
) -> Dataset:
    """Load bars, compute the features, lay out the tape with the fees of each day.

    `keep_features`: those that were computed before are read from `paths.outputs`, others written
    there, for whoever asks next.
    """
    market = market or load_market(plan)
    bars = market.symbol
    days = bars.session_index()
    schedule = calendar.sessions(days[0].date(), days[-1].date()).loc[days]
    cutoff = plan.env.cutoff.times(schedule)
    chosen = replace(
        plan.features, session_anchor_price=features.resolve_anchor(bars, plan.features)
    )
    if keep_features:
        table = _kept_features(market, chosen, cutoff, Path(plan.paths.outputs))
    else:
        table = features.compute(market, chosen, cutoff)
    tape = build_tape(bars, plan.env.cutoff, plan.env.fill)
    warm = _warm_sessions(tape, table)
    if plan.env.fees.sec_section_31:
        tape.sessions["sec_rate"] = sec_rates(tape.dates)
    if plan.env.fees.finra_taf:
        rates = taf_rates(tape.dates)
        tape.sessions["taf_rate"], tape.sessions["taf_cap"] = rates[:, 0], rates[:, 1]
    if plan.env.impact.active:
        if not bars.has_volume():
            raise DataError(
                f"env.impact needs volume and {bars.symbol} has bars without it; "
                "use env/impact=none or bars with volume"
            )
        volatility, volume = impact_statistics(bars, plan.env.impact.window_sessions)
        tape.sessions["daily_volatility"], tape.sessions["daily_volume"] = volatility, volume
        warm &= np.isfinite(volatility) & np.isfinite(volume)
    return Dataset(plan, chosen, market, table, tape, warm)


def _kept_features(
    market: MarketData, chosen: Features, cutoff: pd.Series, outputs: Path
) -> FeatureTable:
    """From the cache, or computed and put there."""
    prints = [market.symbol.fingerprint(), market.benchmark.fingerprint()]
    key = features.content_hash(prints, chosen, cutoff)
    cached = outputs / "cache" / "features" / f"{key}.npz"
    if cached.is_file():
        return FeatureTable.load(cached)
    table = features.compute(market, chosen, cutoff)
    table.save(cached)
    return table


def open_fold(dataset: Dataset, window: Window) -> Fold:
    """Fit scaler and moments on the window's train decisions, validation and warm-up left out."""
    tape = dataset.tape
    fit = tape.index_of(window.fit)
    warm_fit = fit[dataset.warm[fit]]
    if warm_fit.size == 0:
        raise DataError(f"window {window.name}: every train session is warming up; start earlier")
    decisions = dataset.table.values[tape.bar[tape.decision_rows(warm_fit)]]
    scaler = Scaler.fit(decisions, dataset.table.names, dataset.plan.features.clip)
    return Fold(
        dataset=dataset,
        window=window,
        scaler=scaler,
        moments=Moments.of(hold_returns(tape, warm_fit)),
        fit_sessions=warm_fit,
        warm_up_sessions=int(fit.size - warm_fit.size),
        market_columns=scaled_columns(dataset, scaler),
    )


def scaled_columns(dataset: Dataset, scaler: Scaler) -> NDArray[np.float32]:
    """The market columns of every row of the tape, as an agent with this scaler sees them."""
    tape, table = dataset.tape, dataset.table
    # Rows that are never played (warming up) stay zero: the scaler refuses what is not finite.
    columns = np.zeros((tape.rows.size, len(table.names)), np.float32)
    known = np.isfinite(table.values[tape.bar]).all(axis=1)
    columns[known] = scaler.transform(table.values[tape.bar[known]], table.names)
    return columns


def problem_of(
    dataset: Dataset,
    fitting: Fitting,
    market_columns: NDArray[np.float32],
    eligible: NDArray[np.int64],
    *,
    sequential: bool,
) -> Problem:
    """The trading problem of some sessions: in order if `sequential`, else drawn at random."""
    plan = dataset.plan
    book = build_book(
        plan.env,
        plan.reward,
        fitting.moments,
        market_columns=len(dataset.table.names),
        observed=plan.observed_account(),
        observation_clip=plan.features.clip,
        decisions_per_session=fitting.decisions_per_session,
        sequential=sequential,
    )
    return Problem(
        tape=dataset.tape,
        market=market_columns,
        names=dataset.observation_names,
        book=book,
        eligible=eligible,
        reward_name=REWARD_NAMES[type(plan.reward)],
    )


def _warm_sessions(tape: Tape, table: FeatureTable) -> NDArray[np.bool_]:
    complete = np.isfinite(table.values[tape.bar]).all(axis=1)
    return np.logical_and.reduceat(complete, tape.sessions["first_row"])
