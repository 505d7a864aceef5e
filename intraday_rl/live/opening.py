"""The account with which a session begins: carried on from the ledger of the sessions before."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from intraday_rl.errors import DataError
from intraday_rl.live.account import Opening
from intraday_rl.stage import Stage
from intraday_rl.trading.accounts import Accounts


def new_account(stage: Stage) -> Opening:
    """Initial equity, and the moments of a hold in training."""
    last = pd.Timestamp(stage.dataset.tape.dates[-1]).date()
    accounts = Accounts(stage.problem([last]), 1)
    accounts.start([0])
    return _of(accounts.records[0])


def _of(account: np.void) -> Opening:
    return Opening(float(account["equity"]), float(account["moment_a"]), float(account["moment_b"]))


def opening_from(stage: Stage, ledger: pd.DataFrame, day: date) -> Opening:
    """What the ledger's account had when `day` began: its actions walked again up to there.

    Raises `DataError` if the walk does not come to the ledger's own equity, to the last bit: then
    these are not the bars, costs or model that wrote it.
    """
    before = ledger[ledger["session"] < pd.Timestamp(day)]
    if before.empty:
        return new_account(stage)
    days = [stamp.date() for stamp in before["session"].unique()]
    problem = stage.problem(days)
    accounts = Accounts(problem, 1)
    accounts.start([0])
    accounts.open_sessions()
    observation = np.empty((1, len(problem.names)), np.float32)
    reward, terminated = np.zeros(1), np.zeros(1, np.bool_)
    for action in before.loc[~before["forced_exit"], "action"].to_numpy(dtype=np.float64):
        accounts.step(np.array([action]), observation, reward, terminated)
        if terminated[0]:
            last = accounts.records[0].copy()
            accounts.open_sessions()
    equity = float(before["equity_after"].iloc[-1])
    if float(last["equity"]) != equity:
        raise DataError(
            f"the ledger's account had {equity} before {day}, its actions on these bars come to "
            f"{float(last['equity'])}: other bars, costs or code wrote it"
        )
    return _of(last)
