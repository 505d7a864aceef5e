"""The one entry: compose, build, dispatch the task. Users meet one line and an exit status."""

from __future__ import annotations

import os
import shlex
import sys

from intraday_rl.config import compose_plan
from intraday_rl.entry.flags import command_line
from intraday_rl.entry.job import check_installed, dry_run, refuse, run_plan
from intraday_rl.entry.shown import show, show_help
from intraday_rl.entry.sweep import run_sweep
from intraday_rl.errors import IntradayRLError
from intraday_rl.events import tell
from intraday_rl.interruption import Interrupted, listening


def main() -> None:
    """Run the command line and leave with 0 done, 1 a fold failed, 2 configuration, 3 data.

    After a signal the status is 128 + its number, and the line that goes on is printed.
    """
    status, problem = 1, None
    try:
        with listening():
            status = _run(sys.argv[1:])
            sys.stdout.flush()
    except IntradayRLError as error:
        status, problem = refuse(error), str(error)
    except Interrupted as interrupted:
        status = interrupted.status
        # With force=true it would begin anew.
        words = " ".join(shlex.quote(word) for word in sys.argv[1:] if word != "force=true")
        sys.stderr.write(f"{interrupted}; the same command goes on: intraday-rl {words}\n")
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    finally:
        tell("ended", status=status, error=problem)
    raise SystemExit(status)


def _run(arguments: list[str]) -> int:
    given = command_line(arguments)
    overrides: list[str] = given.overrides
    if given.help:
        return show_help(overrides)
    if given.shows:
        return show(arguments, overrides)
    if given.multirun:
        return run_sweep(overrides)
    plan = compose_plan(overrides)
    check_installed(plan)
    if plan.dry_run:
        return dry_run([("", overrides, plan)])
    return run_plan(plan, overrides).code
