"""`task=audit`: prove for one finished run that no number of it looks ahead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from intraday_rl import dataset as pipeline
from intraday_rl.agents.baselines import RandomPolicy
from intraday_rl.agents.bundle import Bundle, load_bundle
from intraday_rl.dataset import Dataset, Fold, Split
from intraday_rl.errors import DataError
from intraday_rl.identity import code_hash
from intraday_rl.loading import resolve
from intraday_rl.market.windows import Window
from intraday_rl.outcome import Context, Outcome
from intraday_rl.plan import Plan
from intraday_rl.records import RunFolder, SeedFolder, read_json, write_json
from intraday_rl.research.audit.checks import (
    check_fit,
    check_sessions,
    check_windows,
    known_at_fit,
)
from intraday_rl.research.audit.findings import Findings
from intraday_rl.research.audit.knowledge import at_close, spell
from intraday_rl.research.audit.playback import (
    Player,
    Reader,
    Recorded,
    ledger_difference,
    open_market,
)
from intraday_rl.research.audit.probes import probe
from intraday_rl.research.audit.prove import Proof
from intraday_rl.research.audit.sample import Time, sample_times
from intraday_rl.research.audit.shown import print_audit
from intraday_rl.research.run_folders import find_run
from intraday_rl.tasks import Audit
from intraday_rl.tracking.tracker import open_tracker
from intraday_rl.trading.ledger import read_ledger

LEDGERS = {Split.validation_second: "validation_ledger", Split.test: "ledger"}
PROBED_SHARE = 4  # one of so many random times is probed; special times all are


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit looked at and what came of it."""

    findings: Findings
    times: list[dict[str, Any]]
    players: list[str]
    code_hashes: list[str]  # of the bundles


def run(plan: Plan, context: Context) -> Outcome:
    """Carry out `task=audit`; writes `audit/audit.json` into the run's folder."""
    task: Audit = plan.task
    folder = find_run(plan.paths.outputs, task.run)
    trained = context.reload(folder.plan.read_text("utf-8"))
    audited = audit(trained, folder, task.samples, task.seed)
    findings = audited.findings
    content = {
        "schema_version": 1,
        "run_key": folder.key,
        "verdict": "passed" if findings.passed else "failed",
        "samples": task.samples,
        "seed": task.seed,
        "code_hash": code_hash(),
        "code_hash_of_run": audited.code_hashes,
        "players": audited.players,
        **findings.as_dict(),
        "times": audited.times,
    }
    place = folder.path / "audit"
    write_json(place / "audit.json", content)
    _record(trained, folder, place, content["verdict"])
    print_audit(content, place)
    return Outcome(score=float("nan"), code=0 if findings.passed else 1, run_key=folder.key)


def audit(trained: Plan, folder: RunFolder, samples: int, seed: int) -> Audited:
    """Check and perturb every fold of a run; `trained` is the run's own plan."""
    resolved = resolve(trained)
    dataset = open_market(trained, resolved.market)
    findings = Findings()
    available = [day.item() for day in dataset.tape.dates]
    check_windows(trained, resolved.windows, available, findings)
    times: list[dict[str, Any]] = []
    hashes: set[str] = set()
    names: dict[str, None] = {}
    for number, window in enumerate(resolved.windows):
        fold = pipeline.open_fold(dataset, window)
        bundles = dict(_bundles(folder, window, trained.seeds))
        early = known_at_fit(fold)
        for key, bundle in bundles.items():
            hashes.add(bundle.card.code_hash)
            check_fit(fold, early, bundle, f"{window.name} seed {key}", findings)
        splits = [Split.validation_first, Split.validation_second]
        for split in [*splits, Split.test] if window.test else splits:
            random = np.random.default_rng(np.random.SeedSequence([seed, number, _place(split)]))
            players = _players(folder, fold, split, bundles)
            names |= dict.fromkeys(player.name for player in players)
            proof = Proof.of(fold, split, players)
            _check_ledgers(folder, proof, bundles, findings)
            chosen = sample_times(dataset, proof.played[-1].walk.problem.eligible, samples, random)
            _perturb(proof, chosen, random, findings)
            times += [_described(dataset, time, window, split) for time in chosen]
    return Audited(findings, times, list(names), sorted(hashes))


def _place(split: Split) -> int:
    return list(Split).index(split)


def _perturb(
    proof: Proof, times: list[Time], random: np.random.Generator, findings: Findings
) -> None:
    for number, time in enumerate(times):
        proof.scramble(time, int(random.integers(2**32)), findings)
        if time.why != "random" or number % PROBED_SHARE == 0:
            probe(proof, time, findings)


def _bundles(folder: RunFolder, window: Window, seeds: list[int]) -> Iterator[tuple[int, Bundle]]:
    for seed in seeds:
        place = folder.fold(window.name).seed(seed)
        if not place.result.is_file():
            raise DataError(
                f"{place.result} is missing: window {window.name} seed {seed} is not finished; "
                "run it again before auditing it"
            )
        yield seed, load_bundle(place.bundle)


def _players(
    folder: RunFolder, fold: Fold, split: Split, bundles: dict[int, Bundle]
) -> list[Player]:
    """The policies of the run; last the one that answers to every number it is shown."""
    players = []
    for seed, bundle in bundles.items():
        place = _ledger(folder.fold(fold.window.name).seed(seed), split)
        policy = bundle.policy
        if isinstance(policy, RandomPolicy) and place is not None:
            # Its generator has drawn before: only the record knows the draws of this split.
            recorded = read_ledger(place)
            policy = Recorded(recorded.loc[~recorded["forced_exit"], "action"].to_numpy(float))
        players.append(Player(f"seed {seed}", policy))
    return [*players, Player("reader of every number", Reader(len(fold.observation_names)))]


def _ledger(seed: SeedFolder, split: Split) -> Path | None:
    return getattr(seed, LEDGERS[split]) if split in LEDGERS else None


def _check_ledgers(
    folder: RunFolder, proof: Proof, bundles: dict[int, Bundle], findings: Findings
) -> None:
    """The walks under audit are the run's own: bit for bit those of its ledgers."""
    window = proof.fold.window
    for seed, played in zip(bundles, proof.played, strict=False):
        place = _ledger(folder.fold(window.name).seed(seed), proof.split)
        if place is None:
            continue
        recorded, where = read_ledger(place), f"{proof.where} seed {seed}"
        days = [day.date() for day in pd.DatetimeIndex(recorded["session"].unique())]
        allowed: tuple[date, ...] = proof.fold.dates(proof.split)
        check_sessions(days, allowed, proof.split.value, where, findings)
        difference = ledger_difference(played, recorded, window.name, seed)
        findings.check("ledger reproduced", where, difference)


def _described(dataset: Dataset, time: Time, window: Window, split: Split) -> dict[str, Any]:
    end = int(dataset.tape.row_end[time.row].astype(np.int64))
    return {
        "fold": window.name,
        "split": split.value,
        "time": spell(int(at_close(np.array([end]))[0])).partition(",")[0],
        "row": "exit" if time.is_exit else "decision",
        "why": time.why,
    }


def _record(trained: Plan, folder: RunFolder, place: Path, verdict: str) -> None:
    ids = folder.path / "mlflow.json"
    if not ids.is_file():
        return
    tracker = open_tracker(trained.tracking, Path(trained.paths.outputs))
    known = read_json(ids)
    for run_id in (known["parent"], *known.get("children", {}).values()):
        tracker.set_tags(run_id, {"audit": verdict})
    tracker.log_artifacts(known["parent"], place, "audit")
