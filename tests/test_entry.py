"""The command line as users meet it: one message, an exit status, nothing half-written."""

from __future__ import annotations

import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from intraday_rl.agents import sac
from intraday_rl.config import compose_plan
from intraday_rl.entry import main, sweep, sweep_jobs
from intraday_rl.errors import DataError
from intraday_rl.outcome import Outcome
from intraday_rl.records import read_json

ROOT = Path(__file__).parent.parent
QUICK = ("debug=tiny", "tracking=none")


@dataclass
class Left:
    """What a command left behind: exit status, output, and what it wrote into its folder."""

    status: int
    out: str
    err: str
    files: list[str]


Leave = Callable[..., Left]


@pytest.fixture
def leave(tmp_path, monkeypatch, capfd) -> Leave:
    """Run the command line in this process, in an empty folder."""

    def run(*arguments: str) -> Left:
        monkeypatch.setattr(sys, "argv", ["intraday-rl", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return Left(int(str(end.value.code)), out, err, sorted(os.listdir()))

    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    return run


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("dry_run=true",), ("-m", "reward=dsr,net_return")])
def test_without_jax_its_agent_ends_in_one_line_before_any_data_is_read(leave, monkeypatch, more):
    monkeypatch.setattr(sac, "find_spec", lambda name: None)
    left = leave(*more, "agent=sac_jax", "data=csv", "data.path=none.csv", "data.bar_label=end")
    assert left.status == 2
    assert left.err.count("\n") == 1
    assert "pip install 'intraday-rl[jax]'" in left.err
    assert left.files == []


WRONG_CONFIGURATION = {
    "symbl=SPY": "symbl=SPY: no such key; did you mean symbol?",
    "reward=sharpe": "reward=sharpe: choose one of downside, dsr, log_return, net_return",
    "experiment=nope": "experiment=nope: choose one of",
    "data.edge=5": "data.edge=5.0: must be a number in [-0.8, 0.8]",
    "data.seed=abc": "data.seed=abc: Value 'abc'",
    "symbol=null": "symbol=null: must not be null",
    "symbol=../x": "symbol='../x': must be a ticker",
    "seeds=[0,0]": "seeds=[0, 0]: must be distinct whole numbers from 0",
    "seeds=[-1]": "seeds=[-1]: must be distinct whole numbers from 0",
    "seeds=1": "seeds=1: ",
    "+typo=1": "typo=1: no such key; a plan has agent, ",
    "+data.typo=1": "data.typo=1: no such key; data has ",
    "+data._target_=os.system": "data._target_=os.system: no such key",
    "agent=hold agent.total_timesteps=5": "agent.total_timesteps=5: no such key; agent takes no",
    "agent=hold experiment=quickstart": "experiment/quickstart.yaml: sets agent.",
    "agent.learning_rate=nan": "agent.learning_rate=nan: must be",
    "task=final_fit": "task.until=???: has no default; give task.until=<value>",
    "data=parquet data.bar_label=start": "data.path=???: has no default",
    "data=parquet data.path=x": "data.bar_label=null: say which end",
    "data=csv data.path=x data.bar_label=mid": "expected one of [start, end]",
    "env.cutoff.latest_time=25:00": "env.cutoff.latest_time=25:00: must be a quoted time",
    "env.action=null": "env.action=None: must be one of target, long_flat",
    "windows=auto windows.train_size=long": "windows.train_size=long: must be a count and a unit",
    "windows=explicit windows.folds=[5]": "windows.folds=[5]: ",
    "symbol=${oc.env:NOT_SET_ANYWHERE}": "symbol: ",
    "symbol=${nope}": "symbol: Interpolation key 'nope' not found",
    "symbol=${symbol}": "symbol",
    "data=null": "data=null: ",
    "paths.outputs=": "paths.outputs='': must name a folder",
    "paths.outputs='~nobody_at_all/x'": "names a user without a home",
    "reward=dsr,net_return": "--multirun",
    "nonsense": "nonsense: is not key=value",
    "hydra.run.dir=elsewhere": "hydra.run.dir=elsewhere: not settable; paths.outputs says",
    "hydra.mode=MULTIRUN": "not settable",
    "hydra/launcher=joblib": "add -m",
    "--config-dir=/tmp": "--config-dir=/tmp: not used here; write hydra.searchpath",
    "--experimental-rerun=x.pickle": "plan=outputs/runs",
    "--resolve": "--cfg",
    "plan=nowhere.yaml": "plan=nowhere.yaml: cannot be read",
    "-m reward=dsr,sharpe": "reward=sharpe: choose one of",
    "-m data.edge=0,5": "data.edge=5.0: must be",
    "-m +typo=1,2": "typo=1: no such key",
    "-m hydra/launcher=nope": "hydra/launcher=nope: choose one of basic, joblib",
    "-m hydra/launcher=joblib hydra.launcher.n_jobs=0": "hydra.launcher.n_jobs=0: must be",
    "-m hydra.sweep.dir=elsewhere": "hydra.sweep.dir=elsewhere: not settable",
    "-m symbol=glob(*)": "the sweep has no jobs",
    "-m plan=x.yaml": "leave out --multirun",
    "-m --cfg job": "--multirun",
}


@pytest.mark.parametrize("line", WRONG_CONFIGURATION)
def test_a_wrong_configuration_is_one_message_status_2_and_nothing_written(line, leave):
    left = leave(*line.split())
    assert left.status == 2
    assert WRONG_CONFIGURATION[line] in left.err
    assert left.err.count("\n") == 1
    assert "Traceback" not in left.err
    assert not left.out
    assert not left.files


GOOD_ROW = "2024-01-02T{}:00-05:00,50,51,49,50"
WRONG_DATA = {
    "no such file": ("data=csv data.path=nowhere.csv", "nowhere.csv: no such file"),
    "a folder": ("data=parquet data.path=/tmp", "/tmp: not a file"),
    "missing column": ("data=csv data.path={missing}", "no column 'close'; set data.columns.close"),
    "bad row": ("data=csv data.path={bad}", "row 2"),
    "wrong format": ("data=parquet data.path={bad}", "cannot be read as parquet"),
    "uncovered": ("data.start='2019-01-02'", "train 2018-01-01 to 2020-12-31 (505 of 756"),
    "no session": ("data.start='2023-01-01' data.end='2023-01-02'", "no session in between"),
    "no folds": ("windows=explicit", "windows.folds=[]: zero folds"),
    "until too early": ("task=final_fit task.until='2018-02-01'", "at least 20 are needed"),
}


@pytest.mark.parametrize("mistake", WRONG_DATA)
def test_wrong_data_is_a_message_status_3_and_nothing_written(mistake, leave, tmp_path):
    rows = [GOOD_ROW.format(clock) for clock in ("09:30", "09:45", "10:00")]
    files = {
        "missing": "timestamp,open,high,low\n" + "\n".join(row[: row.rindex(",")] for row in rows),
        "bad": "timestamp,open,high,low,close\n"
        + "\n".join([rows[0], rows[1].replace(",49,", ",-49,"), rows[2]]),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    line, complaint = WRONG_DATA[mistake]
    words = shlex.split(line.format(**{name: tmp_path / name for name in files}))
    needed = ["data.bar_label=start"] if "data=" in line else []
    left = leave("agent=hold", "tracking=none", *words, *needed)
    assert left.status == 3
    assert complaint in left.err
    assert "Traceback" not in left.err
    assert not left.out
    assert not left.files


def test_hydra_full_error_shows_where_an_error_came_from(leave, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    left = leave("data.edge=5")
    assert left.status == 2
    assert "Traceback" in left.err
    assert left.err.rstrip().endswith("data.edge=5.0: must be a number in [-0.8, 0.8]")


@pytest.mark.parametrize("many", [(), ("-m",)])
def test_outputs_that_cannot_be_written_are_named(leave, tmp_path, many):
    (tmp_path / "file").touch()
    left = leave(*many, "agent=flat", *QUICK, f"paths.outputs={tmp_path}/file/outputs")
    assert left.status == 2
    assert f"paths.outputs={tmp_path}/file/outputs: cannot be written to" in left.err
    assert "Traceback" not in left.err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_its_status_and_the_line_that_goes_on(
    leave, monkeypatch, number, status
):
    def interrupted(*_: object) -> Outcome:
        os.kill(os.getpid(), number)
        raise AssertionError("the signal was not heard")

    monkeypatch.setattr("intraday_rl.entry.run_plan", interrupted)
    left = leave("symbol=SPY")
    assert left.status == status
    assert left.err.endswith("the same command goes on: intraday-rl symbol=SPY\n")


# --- what is printed ----------------------------------------------------------------------------


def test_help_names_the_program_and_the_groups_a_user_can_choose_from(leave):
    left = leave("--help")
    assert left.status == 0
    assert left.out.startswith("intraday-rl: ")
    assert "\nagent: flat, hold, random, sac, sac_jax\n" in left.out
    assert "\nenv/slippage: bps, cents, none, tick\n" in left.out
    assert "schema" not in left.out
    assert "debug/" not in left.out
    assert "\nsymbol: TQQQ\n" in left.out
    assert not left.files


def test_cfg_job_prints_the_composed_configuration(leave):
    left = leave("--cfg", "job", "env/slippage=bps", "--package", "env.slippage")
    assert left.status == 0
    assert "bps: 1.0" in left.out
    assert leave("--cfg", "job", "env/slippage=nope").status == 2
    assert leave("--cfg", "job", "--package", "nope").status == 2


def test_the_three_ways_in_are_the_same(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["intraday-rl", "symbl=SPY"])
    (script,) = entry_points(group="console_scripts", name="intraday-rl")
    ways = (
        script.load(),
        lambda: runpy.run_path(str(ROOT / "experiments/run.py"), run_name="__main__"),
        lambda: runpy.run_module("intraday_rl", run_name="__main__"),
    )
    for way in ways:
        with pytest.raises(SystemExit) as end:
            way()
        assert end.value.code == 2
        assert capfd.readouterr() == ("", "symbl=SPY: no such key; did you mean symbol?\n")


def test_help_and_dry_run_load_neither_torch_nor_mlflow_nor_numba(tmp_path):
    program = """
import sys
from intraday_rl.entry import main
for line in (["--help"], ["--cfg", "job"], ["dry_run=true"], ["-m", "dry_run=true", "seeds=[0]"]):
    sys.argv = ["intraday-rl", *line]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, line
    heavy = {"torch", "mlflow", "numba", "stable_baselines3", "plotly", "optuna"} & set(sys.modules)
    assert not heavy, (line, heavy)
import intraday_rl.model_choice
assert "mlflow" not in sys.modules
"""
    started = os.times()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())
    spent = os.times()
    assert spent.children_user - started.children_user < 4.0  # four starts in one


# --- a sweep ------------------------------------------------------------------------------------


def records(outputs: Path) -> list[dict[str, object]]:
    return [read_json(path) for path in sorted(outputs.glob("sweeps/*/jobs/*.json"))]


@pytest.mark.slow("main")
def test_one_failing_job_lets_the_others_run_and_the_worst_status_counts(leave, tmp_path):
    outputs = tmp_path / "my runs (1), of 'all'"
    quoted = str(outputs).replace("'", r"\'")
    left = leave(
        "-m",
        "agent=flat",
        "data.end='2018-01-05','2018-06-15'",
        *QUICK,
        f"paths.outputs='{quoted}'",
    )
    assert left.status == 3
    assert [record["code"] for record in records(outputs)] == [3, 0]
    assert "job 0 (agent=flat data.end='2018-01-05'" in left.err
    assert "Traceback" not in left.err
    finished = records(outputs)[1]
    assert [path.name for path in (outputs / "runs").iterdir()] == [finished["run_key"]]
    verdict = read_json(outputs / "runs" / str(finished["run_key"]) / "verdict.json")
    assert finished["score"] == verdict["first_validation_score"]
    assert not left.files


@pytest.mark.slow("main")
def test_jobs_in_other_processes_report_their_status_too(leave, tmp_path):
    left = leave(
        "-m",
        "data=csv",
        "data.bar_label=end",
        "data.path=a.csv,b.csv",
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        f"paths.outputs={tmp_path}/outputs",
    )
    assert left.status == 3
    assert [record["code"] for record in records(tmp_path / "outputs")] == [3, 3]
    assert "a.csv: no such file" in left.err
    assert "b.csv: no such file" in left.err


def test_a_bug_in_one_job_is_shown_and_the_others_run(leave, tmp_path, monkeypatch):
    def run(plan, _):
        if plan.symbol == "SPY":
            raise RuntimeError("a bug")
        return Outcome(1.5, 0, "key")

    monkeypatch.setattr("intraday_rl.entry.sweep.run_plan", run)
    left = leave("-m", "symbol=SPY,QQQ", f"paths.outputs={tmp_path}/outputs")
    assert left.status == 1
    assert "RuntimeError: a bug" in left.err
    assert [record["code"] for record in records(tmp_path / "outputs")] == [1, 0]
    assert records(tmp_path / "outputs")[1]["score"] == 1.5


def test_a_job_without_a_record_has_failed(tmp_path, capsys):
    assert sweep.sweep_status(tmp_path, 2) == 1
    assert sweep.sweep_status(tmp_path, None) == 1
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "0.json").write_text('{"code": 0}')
    assert sweep.sweep_status(tmp_path, 2) == 1
    assert "1 jobs of the sweep" in capsys.readouterr().err
    assert sweep.sweep_status(tmp_path, 1) == 0
    assert sweep.sweep_status(tmp_path, None) == 0


def test_two_multiruns_in_the_same_second_do_not_share_a_folder(tmp_path, monkeypatch):
    stamps = iter(["now", "now", "later"])
    monkeypatch.setattr(time, "strftime", lambda _: next(stamps))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    folders = [sweep.new_sweep_folder(tmp_path) for _ in range(2)]
    assert [folder.name for folder in folders] == [f"now-{os.getpid()}", f"later-{os.getpid()}"]
    assert {folder.parent for folder in folders} == {tmp_path / "sweeps"}


def test_jobs_that_run_at_the_same_time_divide_the_cores(monkeypatch):
    monkeypatch.setattr(sweep_jobs, "usable_cores", lambda: 8)
    plan, launcher = compose_plan([]), {"n_jobs": 4}
    shared = sweep_jobs.with_its_share_of_cores(plan, OmegaConf.create(launcher))
    assert shared.parallel.workers == 2
    basic = sweep_jobs.with_its_share_of_cores(plan, OmegaConf.create({}))
    assert basic.parallel.workers == 8
    given = compose_plan(["parallel.workers=3"])
    assert sweep_jobs.with_its_share_of_cores(given, OmegaConf.create(launcher)) == given


def test_a_dry_sweep_leaves_nothing_behind_and_shows_every_job(leave):
    left = leave("-m", "windows=auto,canonical", "data.end='2022-12-30'", "dry_run=true")
    assert left.status == 3
    assert not left.files
    assert "windows=auto data.end='2022-12-30'" in left.out
    assert "windows=canonical data.end='2022-12-30'" in left.err
    as_json = leave("-m", "symbol=SPY,QQQ", "dry_run=true", "format=json", *QUICK)
    assert as_json.status == 0
    assert [job["job"].split()[0] for job in json.loads(as_json.out)] == [
        "symbol=SPY",
        "symbol=QQQ",
    ]
    assert not as_json.files


# --- running again ------------------------------------------------------------------------------


@pytest.mark.slow("main")
def test_a_run_is_repeated_by_its_command_and_by_its_folder_alone(leave, tmp_path):
    first = tmp_path / "here" / "outputs"
    assert leave("agent=random", "seeds=[0,1]", *QUICK).status == 0
    (run,) = (first / "runs").iterdir()
    ledgers = {path.relative_to(run): path.read_bytes() for path in run.rglob("ledger.parquet")}
    assert len(ledgers) > 2

    first.rename(tmp_path / "first")
    kept = tmp_path / "first" / "runs" / run.name
    program, *words = shlex.split((kept / "command.txt").read_text())
    assert program == "intraday-rl"
    assert leave(*words).status == 0
    assert leave(f"plan={kept}/plan.yaml", f"paths.outputs={tmp_path}/third").status == 0
    for again in (run, tmp_path / "third" / "runs" / run.name):
        assert {path: (again / path).read_bytes() for path in ledgers} == ledgers


def test_a_task_refuses_before_it_writes(leave, monkeypatch):
    def refuses(*_: object) -> Outcome:
        raise DataError("bars: row 7: no")

    monkeypatch.setattr("intraday_rl.research.walk_forward.run", refuses)
    left = leave()
    assert (left.status, left.err, left.files) == (3, "bars: row 7: no\n", [])
