"""The ledger satisfies its identities, recomputed from the file alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from intraday_rl.research.rollout import walk
from intraday_rl.trading.costs import Commission, Fees, Financing, Impact, Slippage
from intraday_rl.trading.environment import Environment
from intraday_rl.trading.ledger import COLUMNS, daily_returns, read_ledger, write_ledger
from intraday_rl.trading.rewards import DifferentialSharpe, NetReturn

EVERYTHING = Environment(
    slippage=Slippage(half_spread_ticks=0.5, bps=0.2, per_share=0.001),
    impact=Impact(coefficient=0.7, window_sessions=2),
    commission=Commission(usd_per_share=0.005, minimum_usd=1.0, maximum_percent=1.0),
    fees=Fees(sec_section_31=True, finra_taf=True),
    financing=Financing(annual_rate=0.06, annual_borrow_rate=0.01),
)


class RandomPolicy:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def predict(self, observation):
        return float(self.random.uniform(-1, 1))

    def begin_session(self):
        pass


@pytest.fixture
def written(make_bars, make_problem, tmp_path):
    """Two seeds over sessions with a half day, every cost active, read back from parquet."""
    bars = make_bars("2021-11-15", "2021-12-03", split_factor=4.0)
    problem = make_problem(bars, EVERYTHING)
    object.__setattr__(problem, "eligible", problem.eligible[3:])
    walks = [walk(problem, RandomPolicy(seed)) for seed in (0, 1)]
    path = tmp_path / "ledger.parquet"
    write_ledger([walked.ledger("fold", seed) for seed, walked in enumerate(walks)], path)
    return pd.read_parquet(path), problem


def test_the_columns_are_the_contracts_in_order(written):
    assert tuple(written[0].columns) == COLUMNS


def test_every_identity_holds_from_the_file_alone(written):
    ledger, _ = written
    for _, account in ledger.groupby("seed"):
        assert account["bar_end"].is_monotonic_increasing
        traded = account["shares_before"] + account["shares_traded"]
        assert (account["shares_after"] == traded).all()
        following = account.groupby("session")["price"].shift(-1)
        gross = (account["shares_after"] * (following - account["price"])).fillna(0.0)
        assert gross.to_numpy() == pytest.approx(account["gross_pnl"].to_numpy(), abs=1e-9)
        costs = account[["commission", "fees", "slippage", "impact", "financing"]].sum(axis=1)
        net = account["gross_pnl"] - costs
        assert net.to_numpy() == pytest.approx(account["net_pnl"].to_numpy(), abs=1e-9)
        grown = account["equity_after"] - account["equity_before"]
        assert grown.to_numpy() == pytest.approx(account["net_pnl"].to_numpy(), abs=1e-6)
        assert (account["equity_before"].iloc[1:].to_numpy()
                == account["equity_after"].iloc[:-1].to_numpy()).all()  # fmt: skip
        slippage = account["shares_traded"].abs() * (account["fill_price"] - account["price"]).abs()
        assert slippage.to_numpy() == pytest.approx(account["slippage"].to_numpy(), abs=1e-12)
        adverse = (account["fill_price"] - account["price"]) * account["shares_traded"]
        assert (adverse >= 0).all()
        last = account.groupby("session").tail(1)
        assert last["forced_exit"].all()
        assert (last["shares_after"] == 0).all()
        assert account["forced_exit"].sum() == account["session"].nunique()
        assert (account[["impact", "fees", "financing"]].sum() > 0).all()


def test_the_differential_sharpe_is_reproduced_from_the_file_alone(written):
    ledger, problem = written
    eta, floor = 0.01, float(problem.book[0]["variance_floor"])
    for _, account in ledger.groupby("seed"):
        decisions = account[~account["forced_exit"]].copy()
        exits = account[account["forced_exit"]].set_index("session")["equity_after"]
        last = decisions.groupby("session").tail(1).index
        end = decisions["equity_after"].copy()
        end.loc[last] = decisions.loc[last, "session"].map(exits).to_numpy()
        returns = (end / decisions["equity_before"] - 1.0).to_numpy()
        a, b = decisions["dsr_a"].iloc[0], decisions["dsr_b"].iloc[0]
        for value, row in zip(returns, decisions.itertuples(), strict=True):
            assert (row.dsr_a, row.dsr_b) == (pytest.approx(a), pytest.approx(b))
            variance = max(b - a * a, floor)
            raw = (b * (value - a) - 0.5 * a * (value**2 - b)) / variance**1.5
            assert row.dsr_raw == pytest.approx(raw, abs=1e-9)
            a, b = a + eta * (value - a), b + eta * (value**2 - b)


def test_exit_rows_have_nulls_and_plain_booleans(written):
    ledger, _ = written
    exits = ledger[ledger["forced_exit"]]
    for column in ("action", "target", "reward", "dsr_a", "dsr_b", "dsr_raw"):
        assert exits[column].isna().all()
    for column in ("dsr_floored", "dsr_clipped", "forced_exit"):
        assert ledger[column].dtype == np.dtype(bool)
    assert set(exits["exit_reason"]) == {"cutoff"}
    assert ledger.loc[~ledger["forced_exit"], "exit_reason"].isna().all()


def test_the_stored_types_are_the_contracts(written):
    ledger, _ = written
    assert str(ledger["bar_end"].dtype).endswith("UTC]")
    assert type(ledger["session"].iloc[0]).__name__ == "date"


def test_other_rewards_leave_the_differential_sharpe_columns_null(
    make_bars, make_problem, tmp_path
):
    problem = make_problem(make_bars("2021-03-01", "2021-03-02"), reward=NetReturn())
    path = tmp_path / "ledger.parquet"
    write_ledger([walk(problem, RandomPolicy(0)).ledger("fold", 0)], path)
    ledger = read_ledger(path)
    assert ledger[["dsr_a", "dsr_b", "dsr_raw"]].isna().all(axis=None)
    assert set(ledger["reward_name"]) == {"net_return"}


def test_daily_returns_compound_to_the_final_equity(make_bars, make_problem):
    problem = make_problem(make_bars("2021-03-01", "2021-03-12"), EVERYTHING_BUT_IMPACT)
    walked = walk(problem, RandomPolicy(0))
    ledger = walked.ledger("fold", 0)
    final = ledger["equity_after"].iloc[-1]
    assert 100_000.0 * np.prod(1.0 + walked.daily_returns()) == pytest.approx(final)
    assert daily_returns(ledger).to_numpy() == pytest.approx(walked.daily_returns())


def test_a_walk_that_never_trades_still_writes_an_exit_a_session(make_bars, make_problem):
    class Flat(RandomPolicy):
        def predict(self, observation):
            return 0.0

    problem = make_problem(make_bars("2021-11-22", "2021-11-26"), EVERYTHING_BUT_IMPACT)
    ledger = walk(problem, Flat(0)).ledger("fold", 0)
    assert ledger["forced_exit"].sum() == 4
    assert (ledger["shares_traded"] == 0).all()
    assert (ledger["equity_after"] == 100_000.0).all()


EVERYTHING_BUT_IMPACT = Environment(
    slippage=Slippage(half_spread_ticks=0.5),
    commission=Commission(usd_per_share=0.005, minimum_usd=1.0),
    fees=Fees(sec_section_31=True, finra_taf=True),
)


def test_the_floor_of_the_reward_is_relative_to_the_hold(make_bars, make_problem):
    problem = make_problem(
        make_bars("2021-03-01", "2021-03-05"), reward=DifferentialSharpe(variance_floor_ratio=0.5)
    )
    book = problem.book[0]
    assert book["variance_floor"] == pytest.approx(0.5 * (book["first_b"] - book["first_a"] ** 2))
