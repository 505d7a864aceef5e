"""What a person sees: progress while folds train, and the result as a table."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table

from intraday_rl.events import tell
from intraday_rl.records import RunFolder
from intraday_rl.research.fold_job import FoldJob
from intraday_rl.research.fold_summary import FoldSummary

logger = logging.getLogger(__name__)

WIDTH_OF_A_FILE = 170  # columns, where no terminal sets them


class Progress:
    """A bar with time left on a terminal; log lines elsewhere; events for whoever listens."""

    def __init__(self, jobs: Sequence[FoldJob]) -> None:
        self._terminal = sys.stderr.isatty()
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("validation {task.fields[score]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not self._terminal,
        )
        self._tasks: dict[tuple[str, int], TaskID] = {
            (job.window.name, job.seed): self._bars.add_task(
                f"{job.window.name} seed {job.seed}", total=None, score="-"
            )
            for job in jobs
        }
        self._left = len(jobs)
        tell("fits", fits=[{"window": job.window.name, "seed": job.seed} for job in jobs])

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def report(self, window: str, seed: int, done: int, total: int, score: float | None) -> None:
        """A job's news: decisions so far and, where just measured, the validation Sharpe."""
        task = self._tasks[window, seed]
        done = min(done, total)
        tell("progress", window=window, seed=seed, done=done, total=total, validation_sharpe=score)
        self._bars.update(task, completed=done, total=total)
        if score is not None:
            self._bars.update(task, score=f"{score:+.2f}")
            if not self._terminal:
                logger.info(
                    "window %s seed %d: %d of %d decisions, validation Sharpe %+.2f",
                    window, seed, done, total, score,
                )  # fmt: skip

    def finished(self, result: dict[str, Any]) -> None:
        """A job is over."""
        self._left -= 1
        tell("fold", window=result["window"], seed=result["seed"], status=result["status"])
        logger.info(
            "window %s seed %d: %s, %d to go",
            result["window"], result["seed"], result["status"], self._left,
        )  # fmt: skip


def print_result(
    folder: RunFolder, folds: list[FoldSummary], verdict: dict[str, Any], ui_command: str
) -> None:
    """The result table, what must be said with it, and where to look further."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)
    title = (
        f"{verdict['symbol']} {verdict['agent']} {verdict['reward']}: "
        "net of all costs, test days never seen"
    )
    table = Table(title=title, title_justify="left")
    for name in ("test", "verdict", "validation", "Sharpe [95 %]", "if traded", "return", "max DD",
                 "hold", "trades", "cost bp", "exits"):  # fmt: skip
        table.add_column(name, justify="left" if name in ("test", "verdict") else "right")
    for fold in folds:
        table.add_row(*_fold_row(fold))
    if "as_traded" in verdict:
        traded = verdict["as_traded"]
        table.add_section()
        table.add_row(
            "all, stitched", verdict["verdict"], "", _sharpe(traded),
            _number(verdict["raw"]["sharpe"]), _percent(traded["total_return"]),
            _percent(traded["max_drawdown"]), _number(verdict["hold"]["sharpe"]), "", "", "",
        )  # fmt: skip
    console.print(table)
    for line in caveats(verdict):
        console.print(line, style="yellow", highlight=False)
    console.print(f"report: {folder.report}", highlight=False, soft_wrap=True)
    if ui_command:
        console.print(f"compare runs: {ui_command}", highlight=False, soft_wrap=True)


def caveats(verdict: dict[str, Any]) -> list[str]:
    """What a reader must know before believing the numbers."""
    lines = []
    if verdict["synthetic"]:
        lines.append("Synthetic bars: this says nothing about a real market.")
    if verdict["reconstructed"]:
        lines.append("Reconstructed bars: these prices were computed, not traded.")
    if verdict["fill_is_same_bar"]:
        lines.append("Orders fill at the close they were decided on (env.fill=close): optimistic.")
    spans = {k: v for k, v in verdict["windows_built_from_closes"].items() if v}
    for window, names in spans.items():
        lines.append(
            f"Window {window}: the bars of {', '.join(names)} were built from closes, so the next "
            "open is the close just seen; env.fill=next_close is the cautious choice."
        )
    if verdict["verdict"] == "no_trades":
        lines.append("The policy never trades: that is the finding, not a result to compare.")
    if verdict["folds_abstained"]:
        lines.append(
            "Abstained: validation showed no advantage over staying flat, so nothing was traded; "
            "the column 'if traded' is what the policy would have done."
        )
    for window, looks in verdict.get("test_window_looks", {}).items():
        if looks["window"] > 1:
            lines.append(
                f"Test window {window} of {verdict['symbol']} has been looked at "
                f"{looks['window']} times: the more often, the less its best result proves."
            )
    if verdict["folds_failed"]:
        lines.append(f"{verdict['folds_failed']} fold(s) failed; see error.txt in their folders.")
    return lines


def _fold_row(fold: FoldSummary) -> list[str]:
    content = fold.content
    traded = content["test"].get("as_traded")
    if traded is None:
        return [fold.window.name, fold.verdict.value, *["-"] * 9]
    finished = [entry for entry in content["seeds"].values() if entry["status"] == "finished"]
    trades = sum(entry["test"]["trades"]["round_trips"] for entry in finished) / len(finished)
    exits = ", ".join(f"{t}×{n}" for t, n in content["exits"]["by_new_york_time"].items())
    return [
        fold.window.name,
        fold.verdict.value,
        _number(content["validation_score"]),
        _sharpe(traded),
        _number(content["test"]["raw"]["sharpe"]),
        _percent(traded["total_return"]),
        _percent(traded["max_drawdown"]),
        _number(content["baselines"]["hold"]["sharpe"]),
        f"{trades:.0f}",
        _number(content["costs"]["bps_of_turnover"]),
        exits,
    ]


def _sharpe(metrics: dict[str, Any]) -> str:
    low, high = _number(metrics["sharpe_low"]), _number(metrics["sharpe_high"])
    return f"{_number(metrics['sharpe'])} [{low}, {high}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
