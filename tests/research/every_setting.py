"""What every setting does: one line a leaf of the configuration, by the part it belongs to.

A line gives another value and, where the setting matters only beside others, those others. It says
`changes` (the fold keys and the numbers), `shows` (neither: the presentation list) or `of_task`
(nothing of a fold: the options of a task that reads finished ones, proven by its own tests).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import get_type_hints

from intraday_rl.config import PARTS
from intraday_rl.plan import Plan

FILES = "@files"  # stands for the folder that the tests write their bars to
ALONE = ("tracking=none", "parallel.workers=1")
YEAR = ("data=synthetic", "data.start=2021-01-04", "data.end=2021-10-08")
ONE_FOLD = (
    "windows=auto",
    "windows.train_size=6 months",
    "windows.test_size=3 months",
    "windows.validation_sessions=40",
)
TINY = (
    "agent.net_arch=[8]",
    "agent.batch_size=32",
    "agent.total_timesteps=320",
    "agent.learning_starts=64",
    "agent.eval_freq=160",
    "agent.n_envs=8",
)
LEARNS = (*YEAR, *ONE_FOLD, *ALONE, "agent=sac", *TINY)
DRAWS = (*YEAR, *ONE_FOLD, *ALONE, "agent=random")
HOLDS = (*YEAR, *ALONE, "agent=hold")
FROM_FILE = (
    "data=parquet",
    f"data.path={FILES}/bars.parquet",
    "data.bar_label=start",
    *ONE_FOLD,
    *ALONE,
)
FROM_STORE = (
    "data=store",
    f"data.store={FILES}/store",
    "data.vendor=whole",
    "data.stored_minutes=15",
    *ONE_FOLD,
    *ALONE,
)
TWO_FOLDS = ("data.end=2022-01-31",)
BENCHMARK = f"data.benchmark_path={FILES}/benchmark.parquet"
GAP = f"data.path={FILES}/gap.parquet"  # a session without six of its bars
HOLE = f"data.path={FILES}/hole.parquet"  # without the last session of the test
CLIP = "windows.on_missing=clip"
SPLIT = "data.splits={2021-08-02: 2.0}"
TICKS = ("env.slippage.half_spread_ticks=0.5",)
PER_SHARE = ("env.commission.usd_per_share=0.005", "env.commission.minimum_usd=0")
IMPACT = ("env.impact.coefficient=0.7",)
EXPLICIT = (
    "windows.folds=[{train_start: 2021-01-04, train_end: 2021-07-02,"
    " test_start: 2021-07-06, test_end: 2021-09-30}]"
)
LATER = (
    "[{train_start: 2021-01-04, train_end: 2021-07-02,"
    " test_start: 2021-07-06, test_end: 2021-09-15}]"
)


@dataclass(frozen=True, slots=True)
class Change:
    """Another value of a setting; `instead` replaces the section's base configuration."""

    value: str
    given: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    decides: bool = True  # changes keys and numbers; else it is presentation


@dataclass(frozen=True, slots=True)
class OfTask:
    """An option of a task that makes no fold, and the test that shows what it does."""

    test: str


Effect = Change | OfTask


@dataclass(frozen=True, slots=True)
class Section:
    """Settings of one part; `base` is a small job that uses it."""

    base: tuple[str, ...]
    settings: dict[str, Effect]


def changes(value: object, *given: str, instead: tuple[str, ...] = ()) -> Change:
    """Another value that changes keys and numbers, `given` further overrides."""
    return Change(str(value), given, instead)


def shows(value: object, *given: str, instead: tuple[str, ...] = ()) -> Change:
    """Another value that changes neither: it is on the presentation list."""
    return Change(str(value), given, instead, decides=False)


LEARNER: dict[str, Effect] = {
    "agent.learning_rate": changes(1e-3),
    "agent.buffer_size": changes(64),
    "agent.batch_size": changes(16),
    "agent.tau": changes(0.05),
    "agent.gamma": changes(0.5),
    "agent.ent_coef": changes(0.1),
    "agent.target_entropy": changes(-3),
    "agent.train_freq": changes(2),
    "agent.gradient_steps": changes(2),
    "agent.target_update_interval": changes(2),
    "agent.learning_starts": changes(96),
    "agent.net_arch": changes("[16]"),
    "agent.total_timesteps": changes(480),
    "agent.eval_freq": changes(80),
    "agent.n_envs": changes(4),
    "agent.reward_scale": changes(2.0),
}
MOMENTS: dict[str, Effect] = {
    "reward.eta": changes(0.1),
    "reward.variance_floor_ratio": changes(1.0),
    "reward.clip": changes(0.1),
}
NOTHING: dict[str, Effect] = {}

FINE_TUNE = "tests/research/fine_tune"
SECTIONS: dict[str, Section] = {
    "": Section(
        DRAWS,
        {
            # Two symbols differ by their splits, two benchmarks too: a ticker alone is a name.
            "symbol": changes(
                "SPY", "agent=random", "data.adjusted_through=2022-06-01", instead=FROM_FILE
            ),
            "benchmark": changes(
                "TQQQ", BENCHMARK, "data.prices=traded", "agent=sac", *TINY, instead=FROM_FILE
            ),
            "seeds": changes("[1]"),
            "dry_run": shows("true"),
            "format": shows("json"),
            "force": shows("true"),
            "fail_fast": shows("true"),
            "selection.abstain": changes("false", instead=LEARNS),
            "gates.min_trades": changes(10),
            "gates.min_sharpe": changes(1.0),
            "gates.max_drawdown": changes(0.2),
            "parallel.workers": shows(2, "seeds=[0,1]"),
            "checkpoints.every": shows(64, instead=LEARNS),
            "registry.register": shows("false"),
            "registry.expires_after_days": shows(7),
            "paths.outputs": shows("elsewhere"),
            "paths.state": shows("elsewhere"),
        },
    ),
    "features": Section(
        LEARNS,
        {
            "features.benchmark_trend": changes("false"),
            "features.benchmark_macd": changes("false"),
            "features.benchmark_adx": changes("false"),
            "features.benchmark_rsi": changes("false"),
            "features.symbol_atr": changes("false"),
            "features.symbol_trend": changes("false"),
            "features.symbol_returns": changes("false"),
            "features.realised_volatility": changes("false"),
            "features.session_anchor": changes("false"),
            "features.overnight_gap": changes("false"),
            "features.time_to_cutoff": changes("false"),
            "features.account_position": changes("false"),
            "features.account_unrealised_return": changes("false"),
            "features.account_minutes_held": changes("false"),
            "features.account_reward_moments": changes("false", "reward=dsr"),
            "features.return_bars": changes("[1, 2]"),
            "features.session_anchor_price": changes("open"),
            "features.benchmark_ema_bars": changes(40),
            "features.symbol_ema_bars": changes(20),
            "features.atr_bars": changes(20),
            "features.adx_bars": changes(20),
            "features.rsi_bars": changes(20),
            "features.macd_fast_bars": changes(10),
            "features.macd_slow_bars": changes(30),
            "features.macd_signal_bars": changes(5),
            "features.realised_volatility_bars": changes(20),
            "features.clip": changes(0.5),
        },
    ),
    "env": Section(
        DRAWS,
        {
            "env.fill": changes("next_close"),
            "env.initial_equity": changes(50_000),
            "env.slippage.bps": changes(2.0),
            "env.slippage.bps_buy": changes(2.0),
            "env.slippage.bps_sell": changes(2.0),
            "env.slippage.per_share": changes(0.01),
            "env.slippage.per_share_buy": changes(0.01),
            "env.slippage.per_share_sell": changes(0.01),
            "env.slippage.half_spread_ticks": changes(1.0),
            "env.slippage.half_spread_ticks_buy": changes(1.0),
            "env.slippage.half_spread_ticks_sell": changes(1.0),
            "env.slippage.tick_usd": changes(0.02, *TICKS),
            "env.impact.coefficient": changes(0.5),
            "env.impact.coefficient_buy": changes(0.5),
            "env.impact.coefficient_sell": changes(0.5),
            "env.impact.window_sessions": changes(10, *IMPACT),
            "env.commission.usd_per_share": changes(0.01),
            "env.commission.usd_per_share_buy": changes(0.01),
            "env.commission.usd_per_share_sell": changes(0.01),
            "env.commission.bps": changes(1.0),
            "env.commission.bps_buy": changes(1.0),
            "env.commission.bps_sell": changes(1.0),
            "env.commission.minimum_usd": changes(30.0),
            "env.commission.minimum_usd_buy": changes(30.0),
            "env.commission.minimum_usd_sell": changes(30.0),
            "env.commission.maximum_percent": changes(0.001, *PER_SHARE),
            "env.commission.pass_through_usd_per_share": changes(0.003),
            "env.fees.sec_section_31": changes("false"),
            "env.fees.finra_taf": changes("false"),
            "env.financing.annual_rate": changes(0.06, "env.action.max_position=2"),
            "env.financing.annual_borrow_rate": changes(0.01),
            "env.cutoff.latest_time": changes('"15:00"'),
            "env.cutoff.minutes_before_close": changes(60),
        },
    ),
    "env/action=target": Section(
        (*DRAWS, "env/action=target"),
        {
            "env.action.max_position": changes(0.5),
            "env.action.no_trade_band": changes(0.5),
            "env.action.long_only": changes("true"),
            "env.action.lot_size": changes(100),
        },
    ),
    "env/action=long_flat": Section(
        (*DRAWS, "env/action=long_flat"),
        {
            "env.action.threshold": changes(0.6),
            "env.action.max_position": changes(0.5),
            "env.action.lot_size": changes(100),
        },
    ),
    "reward=dsr": Section((*LEARNS, "reward=dsr"), MOMENTS),
    "reward=downside": Section((*LEARNS, "reward=downside"), MOMENTS),
    "reward=net_return": Section((*LEARNS, "reward=net_return"), NOTHING),
    "reward=log_return": Section((*LEARNS, "reward=log_return"), NOTHING),
    # Compiled updates differ by rounding.
    "agent=sac": Section(LEARNS, {**LEARNER, "agent.compile": changes("always")}),
    # By keys alone, since the extra may be absent; it learns in tests/agents/test_sac_jax.py.
    "agent=sac_jax": Section((*YEAR, *ONE_FOLD, *ALONE, "agent=sac_jax", *TINY), LEARNER),
    "agent=flat": Section((*YEAR, *ONE_FOLD, *ALONE, "agent=flat"), NOTHING),
    "agent=hold": Section((*YEAR, *ONE_FOLD, *ALONE, "agent=hold"), NOTHING),
    "agent=random": Section(DRAWS, NOTHING),
    "data=synthetic": Section(
        DRAWS,
        {
            "data.seed": changes(1),
            "data.start": changes("2021-01-11"),
            "data.end": changes("2021-09-01", "windows.on_missing=clip"),
            "data.bar_minutes": changes(30),
            "data.edge": changes(0.1),
            "data.leverage": changes(2.0),
            "data.annual_volatility": changes(0.3),
            "data.annual_drift": changes(0.2),
            "data.overnight_variance_share": changes(0.3),
            "data.volatility_persistence": changes(0.9),
            "data.volatility_spread": changes(0.3),
            "data.bar_gap_variance_share": changes(0.01),
            "data.trend_half_life_sessions": changes(30.0),
            "data.symbol_start_price": changes(25.0),
            "data.symbol_daily_volume": changes(1e5, *IMPACT),
        },
    ),
    "data=file": Section(
        (*FROM_FILE, "agent=random"),
        {
            # The same bars in another place.
            "data.path": shows(f"{FILES}/copy.parquet"),
            "data.benchmark_path": shows(f"{FILES}/benchmark_copy.parquet", BENCHMARK),
            "data.format": changes("csv"),
            "data.bar_label": changes("end"),
            "data.timezone": changes("UTC", "data.timezone=America/New_York"),
            "data.bar_minutes": changes(30),
            "data.columns": changes("{close: middle}"),
            "data.prices": changes("traded", SPLIT),
            "data.splits": changes("{2021-08-02: 2.0}"),
            "data.adjusted_through": changes("2021-07-30", SPLIT),
            "data.max_missing_bars": changes(10, GAP, "data.on_bad_session=drop"),
            "data.on_bad_session": changes("refuse", GAP, "data.on_bad_session=drop"),
            "data.reconstructed": changes("true"),
        },
    ),
    "data=store": Section(
        (*FROM_STORE, "agent=random"),
        {
            # The same bars in another place.
            "data.store": shows(f"{FILES}/copy_of_store"),
            "data.vendor": changes("another"),
            "data.stored_minutes": changes(30),
            "data.bar_minutes": changes(30),
            "data.start": changes("2021-01-20"),
            "data.end": changes("2021-09-20"),
            "data.splits": changes("{2021-08-02: 2.0}"),
            "data.adjusted_through": changes("2021-07-30", SPLIT),
            "data.max_missing_bars": changes(10, "data.vendor=gap", "data.on_bad_session=drop"),
            "data.on_bad_session": changes("refuse", "data.vendor=gap", "data.on_bad_session=drop"),
        },
    ),
    "windows=canonical": Section(
        (*ALONE, "agent=hold", "windows=canonical", "data.end=2023-12-29"),
        {
            "windows.on_missing": changes("refuse", CLIP, "data.end=2023-06-30"),
            "windows.validation_sessions": changes(60),
            "windows.embargo_sessions": changes(5),
        },
    ),
    "windows=auto": Section(
        (*HOLDS, *ONE_FOLD, *TWO_FOLDS),
        {
            "windows.mode": changes("rolling"),
            "windows.train_size": changes("5 months"),
            "windows.test_size": changes("2 months"),
            "windows.step": changes("4 months"),
            "windows.purge_sessions": changes(2),
            "windows.embargo_sessions": changes(5),
            "windows.validation_sessions": changes(30),
            "windows.allow_partial_last": changes("true"),
            "windows.on_missing": changes("refuse", CLIP, HOLE, "agent=hold", instead=FROM_FILE),
        },
    ),
    "windows=explicit": Section(
        (*HOLDS, "windows=explicit", EXPLICIT, "windows.validation_sessions=40"),
        {
            "windows.folds": changes(LATER),
            "windows.on_missing": changes("refuse", CLIP, "data.end=2021-09-15"),
            "windows.validation_sessions": changes(30),
            "windows.embargo_sessions": changes(5),
        },
    ),
    "tracking=mlflow": Section(
        (*YEAR, *ONE_FOLD, "parallel.workers=1", "agent=hold", "tracking=mlflow"),
        {
            "tracking.uri": shows(f"sqlite:///{FILES}/other.db"),
            "tracking.experiment": shows("another"),
            "tracking.log_models": shows("false"),
        },
    ),
    "tracking=none": Section(DRAWS, NOTHING),
    "task=walk_forward": Section(DRAWS, NOTHING),
    "task=final_fit": Section(
        (*DRAWS, "task=final_fit", "task.until=2021-09-30"),
        {"task.until": changes("2021-09-15")},
    ),
    "task=cost_surface": Section(
        (),
        {
            "task.run": OfTask("tests/research/test_cost_surface.py"),
            "task.slippage_bps": OfTask("tests/research/test_cost_surface.py"),
            "task.commission_scales": OfTask("tests/research/test_cost_surface.py"),
            "task.impact_coefficients": OfTask("tests/research/test_cost_surface.py"),
        },
    ),
    "task=audit": Section(
        (),
        {
            "task.run": OfTask("tests/research/audit/test_audit_task.py"),
            "task.samples": OfTask("tests/research/audit/test_audit_task.py"),
            "task.seed": OfTask("tests/research/audit/test_audit_task.py"),
        },
    ),
    "task=verdict": Section(
        (),
        {
            "task.sweep": OfTask("tests/research/sweep/test_verdict_task.py"),
            "task.runs": OfTask("tests/research/sweep/test_verdict_task.py"),
        },
    ),
    "task=fine_tune": Section(
        (),
        {
            "task.model": OfTask(f"{FINE_TUNE}/test_checks.py"),
            "task.days": OfTask(f"{FINE_TUNE}/test_checks.py"),
            "task.sessions": OfTask(f"{FINE_TUNE}/test_checks.py"),
            "task.holdout_sessions": OfTask(f"{FINE_TUNE}/test_planted.py"),
            "task.timesteps": OfTask(f"{FINE_TUNE}/test_planted.py"),
            "task.learning_rate": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.reset_optimiser": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.reset_entropy": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.margin_bps_per_day": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.promote": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.seed": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
        },
    ),
    "task=fine_tune_study": Section(
        (),
        {
            "task.model": OfTask(f"{FINE_TUNE}/test_checks.py"),
            "task.start": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.end": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.cadence": OfTask(f"{FINE_TUNE}/test_spans.py"),
            "task.days": OfTask(f"{FINE_TUNE}/test_checks.py"),
            "task.sessions": OfTask(f"{FINE_TUNE}/test_checks.py"),
            "task.holdout_sessions": OfTask(f"{FINE_TUNE}/test_planted.py"),
            "task.timesteps": OfTask(f"{FINE_TUNE}/test_planted.py"),
            "task.learning_rate": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.reset_optimiser": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.reset_entropy": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.margin_bps_per_day": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
            "task.seed": OfTask(f"{FINE_TUNE}/test_fine_tune.py"),
        },
    ),
    "task=promote": Section(
        (),
        {
            "task.model": OfTask("tests/research/test_registry.py"),
            "task.alias": OfTask("tests/research/test_registry.py"),
            "task.reason": OfTask("tests/research/test_registry.py"),
        },
    ),
    "task=download": Section(
        (),
        {
            "task.start": OfTask("tests/collecting/test_download.py"),
            "task.end": OfTask("tests/collecting/test_download.py"),
            "task.bar_minutes": OfTask("tests/collecting/test_download.py"),
        },
    ),
    "task=import": Section(
        (),
        {
            "task.path": OfTask("tests/collecting/test_import.py"),
            "task.symbol": OfTask("tests/collecting/test_import.py"),
            "task.bar_label": OfTask("tests/collecting/test_import.py"),
            "task.timezone": OfTask("tests/collecting/test_import.py"),
            "task.columns": OfTask("tests/collecting/test_import.py"),
            "task.prices": OfTask("tests/collecting/test_import.py"),
            "task.adjusted_through": OfTask("tests/collecting/test_import.py"),
            "task.vendor": OfTask("tests/collecting/test_import.py"),
            "task.confirm": OfTask("tests/collecting/test_import.py"),
        },
    ),
    "task=inspect": Section(
        (),
        {
            "task.against": OfTask("tests/collecting/test_inspection.py"),
            "task.against_label": OfTask("tests/collecting/test_inspection.py"),
            "task.against_timezone": OfTask("tests/collecting/test_inspection.py"),
        },
    ),
    "task=paper": Section(
        (),
        {
            "task.model": OfTask("tests/live/test_paper_task.py"),
            "task.feed": OfTask("tests/live/test_paper_task.py"),
            "task.day": OfTask("tests/live/test_paper_task.py"),
            "task.speed": OfTask("tests/live/test_paper_task.py"),
            "task.agent": OfTask("tests/live/test_paper_options.py"),
            "task.broker": OfTask("tests/live/test_paper_options.py"),
            "task.feed_folder": OfTask("tests/live/test_paper_options.py"),
            "task.feed_bar_minutes": OfTask("tests/live/test_paper_options.py"),
            "task.feed_bar_label": OfTask("tests/live/test_paper_options.py"),
            "task.feed_timezone": OfTask("tests/live/test_paper_options.py"),
            "task.bar_grace_seconds": OfTask("tests/live/test_paper_options.py"),
            "task.late_decision_seconds": OfTask("tests/live/test_paper_options.py"),
            "task.bridge_ttl_seconds": OfTask("tests/live/test_paper_options.py"),
            "task.exit_lead_seconds": OfTask("tests/live/test_paper_options.py"),
            "task.flatten": OfTask("tests/live/test_paper_options.py"),
            "task.i_accept_real_orders": OfTask("tests/live/test_paper_options.py"),
            "task.risk.max_position": OfTask("tests/live/test_paper_options.py"),
            "task.risk.max_notional_usd": OfTask("tests/live/test_paper_options.py"),
            "task.risk.max_orders_per_minute": OfTask("tests/live/test_paper_options.py"),
            "task.risk.daily_loss_limit": OfTask("tests/live/test_paper_options.py"),
            "task.risk.max_columns_at_bound": OfTask("tests/live/test_paper_options.py"),
            "task.risk.max_overnight_jump": OfTask("tests/live/test_paper_options.py"),
            "task.clock.start": OfTask("tests/live/test_paper_options.py"),
            "task.clock.anchor": OfTask("tests/live/test_paper_options.py"),
            "task.clock.speed": OfTask("tests/live/test_paper_options.py"),
        },
    ),
    "task=serve": Section(
        (),
        {
            "task.host": OfTask("tests/web/test_serving.py"),
            "task.port": OfTask("tests/web/test_serving.py"),
            "task.allowed_hosts": OfTask("tests/web/test_serving.py"),
            "task.token_file": OfTask("tests/web/test_serving.py"),
            "task.job_workers": OfTask("tests/web/test_serving.py"),
            "task.queue_limit": OfTask("tests/web/test_serving.py"),
            "task.cancel_grace_seconds": OfTask("tests/web/test_serving.py"),
            "task.agents": OfTask("tests/live/test_paper_options.py"),
            "task.feed_folder": OfTask("tests/live/test_paper_options.py"),
            "task.feed_bar_minutes": OfTask("tests/live/test_paper_options.py"),
            "task.feed_bar_label": OfTask("tests/live/test_paper_options.py"),
            "task.feed_timezone": OfTask("tests/live/test_paper_options.py"),
            "task.clock.start": OfTask("tests/live/test_paper_options.py"),
            "task.clock.anchor": OfTask("tests/live/test_paper_options.py"),
            "task.clock.speed": OfTask("tests/live/test_paper_options.py"),
        },
    ),
    "task=status": Section((), NOTHING),
    "task=clean": Section(
        (),
        {
            "task.apply": OfTask("tests/research/test_housekeeping.py"),
            "task.older_than_days": OfTask("tests/research/test_housekeeping.py"),
        },
    ),
}


def every_leaf() -> Iterator[tuple[str, str]]:
    """(part, key) of every value that a configuration can set, from the schemas themselves."""
    for key in _leaves(Plan, ""):
        yield "", key
    for group, kinds in PARTS.items():
        for kind, part in kinds.items():
            for key in _leaves(part, f"{group.replace('/', '.')}."):
                yield f"{group}={kind}", key


def _leaves(part: type, prefix: str) -> Iterator[str]:
    hints = get_type_hints(part)
    for entry in fields(part):
        key = f"{prefix}{entry.name}"
        if is_dataclass(hints[entry.name]):
            yield from _leaves(hints[entry.name], f"{key}.")
        elif key.replace(".", "/") not in PARTS:
            yield key
