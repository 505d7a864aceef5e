"""Which folds of a run are looks at a test window, and how often those windows have been seen."""

from __future__ import annotations

from dataclasses import asdict

from intraday_rl.identity import identity_of, trial_settings, world_settings
from intraday_rl.loading import Resolved
from intraday_rl.market.windows import Window
from intraday_rl.plan import Plan
from intraday_rl.records import state_folder
from intraday_rl.research.fit import is_learned
from intraday_rl.research.lockbox import Lockbox, Look
from intraday_rl.saved_plan import SavedPlan


def world_and_trial(record: SavedPlan, resolved: Resolved) -> tuple[str, str]:
    """Keys of the world a run is judged in and of the configuration that is tried in it."""
    world = world_settings(record.kinds, record.values, resolved.market, resolved.windows)
    return identity_of(world), identity_of(trial_settings(record.kinds, record.values))


def planned_look(
    plan: Plan, record: SavedPlan, resolved: Resolved, window: Window, seed: int, key: str
) -> Look | None:
    """What the lockbox will record when this fold reads its test; None where nothing counts."""
    market = resolved.market
    if window.test is None or market.synthetic or not is_learned(plan):
        return None
    world, trial = world_and_trial(record, resolved)
    return Look(
        fold_key=key,
        symbol=plan.symbol,
        first_session=str(window.test.first_session),
        last_session=str(window.test.last_session),
        bar_source=market.source,
        bar_minutes=market.symbol.bar_minutes,
        data_fingerprint=market.symbol.fingerprint(window.test.last_session),
        world=world,
        trial=trial,
        seed=seed,
    )


def lockbox_of(plan: Plan) -> Lockbox:
    """The lockbox of `paths.state`."""
    return Lockbox(state_folder(plan.paths.state))


def looks_at(plan: Plan, resolved: Resolved) -> dict[str, dict[str, int]]:
    """How often each test window of the symbol has been looked at; empty on synthetic bars."""
    if resolved.market.synthetic:
        return {}
    lockbox = lockbox_of(plan)
    return {
        window.name: asdict(
            lockbox.looks(plan.symbol, window.test.first_session, window.test.last_session)
        )
        for window in resolved.windows
        if window.test is not None
    }
