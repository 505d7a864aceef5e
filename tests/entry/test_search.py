"""A search as users meet it: what it draws from, when it is the same one, how it goes on."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import pytest
from filelock import FileLock
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, open_dict
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from hydra_plugins.intraday_rl_sweeper import Pruner, Sampler, SearchOptions
from intraday_rl.config import compose_plan, hydra_session
from intraday_rl.config.composing import compose_in_session
from intraday_rl.entry import main, search, sweep
from intraday_rl.entry.search.pruning import PRUNED_AT, stop_early, stop_early_of
from intraday_rl.entry.search.space import space_of
from intraday_rl.entry.search.study import JOURNAL, Search, open_study
from intraday_rl.entry.search.trials import run_trials
from intraday_rl.errors import ConfigError, FoldFailed
from intraday_rl.outcome import Outcome
from intraday_rl.records import read_json, write_text

AXES = ["agent.gamma=interval(0.9,0.999)", "reward=dsr,net_return"]


def space(*arguments: str, **params: str):
    with hydra_session():
        return space_of(arguments, params)


# --- the space ----------------------------------------------------------------------------------

DRAWN_FROM = {
    "interval(0.9,0.999)": FloatDistribution(0.9, 0.999),
    "tag(log,interval(1e-5,1e-3))": FloatDistribution(1e-5, 1e-3, log=True),
    "int(interval(16,64))": IntDistribution(16, 64),
    "tag(log,int(interval(16,64)))": IntDistribution(16, 64, log=True),
    "range(1,10,3)": IntDistribution(1, 7, step=3),
    "range(10,0,-5)": IntDistribution(5, 10, step=5),
    "range(0.5,2,0.5)": FloatDistribution(0.5, 1.5, step=0.5),
    "choice([64,64],[8])": CategoricalDistribution(["[64,64]", "[8]"]),
    "1,2,1": CategoricalDistribution(["1", "2"]),
    "'a b',c": CategoricalDistribution(["'a b'", "c"]),
}


@pytest.mark.parametrize("text", DRAWN_FROM)
def test_an_axis_in_hydras_grammar_is_a_distribution(text):
    assert space(f"key={text}").axes == {"key": DRAWN_FROM[text]}


@pytest.mark.parametrize(
    "text", ["interval(1,0)", "tag(log,interval(0,1))", "tag(log,a,b)", "tag(log,range(1,9,2))"]
)
def test_an_axis_that_cannot_be_drawn_from_is_refused_by_its_key(text):
    with pytest.raises(ConfigError, match=r"^key="):
        space(f"key={text}" if "a,b" not in text else "key=tag(log,choice(a,b))")


def test_the_command_line_replaces_or_fixes_an_axis_of_the_file():
    found = space("a=interval(0,1)", "b=5", a="choice(1,2)", b="choice(1,2)", c="choice(1,2)")
    assert found.axes == {"a": FloatDistribution(0, 1), "c": CategoricalDistribution(["1", "2"])}
    assert found.fixed == ["b=5"]


def test_the_corners_take_every_choice_and_both_ends():
    corners = space("a=interval(0,1)", "b=x,y,z", "c=7").corners()
    assert corners == [["c=7", "a=0.0", "b=x"], ["c=7", "a=1.0", "b=y"], ["c=7", "a=0.0", "b=z"]]


# --- the identity -------------------------------------------------------------------------------


def key_of(*overrides: str, axis: str = AXES[0], **options: object) -> str:
    given = SearchOptions(**options)  # type: ignore[arg-type]
    return Search(space(axis), given, batch=1).keyed(compose_plan(overrides)).key


@pytest.mark.slow("search")
def test_a_search_is_known_by_what_it_asks_not_by_how_far_or_how_it_runs():
    same = key_of()
    assert same == key_of(n_trials=99, max_failure_rate=0.5, batch=3)
    assert same == key_of("paths.outputs=x", "tracking=none", "parallel.workers=2", "force=true")
    others = [
        key_of(seed=1),
        key_of(sampler=Sampler.random),
        key_of(pruner=Pruner.median),
        key_of(axis="agent.gamma=interval(0.9,0.99)"),
        key_of("agent.tau=0.01"),
        key_of("seeds=[0,1]"),
        key_of("windows.embargo_sessions=2"),
    ]
    assert len({same, *others}) == 8


# --- asking and telling -------------------------------------------------------------------------


@dataclass
class Jobs:
    """In place of a launcher: what it was given, and what each job returns."""

    score: Callable[[int], float] = float
    cut_off_at: int | None = None
    launched: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def launch(self, jobs: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        self.batches.append(len(jobs))
        returns = []
        for *words, number in jobs:
            trial = int(number.removeprefix("hydra.sweeper.trial="))
            if trial == self.cut_off_at:
                raise KeyboardInterrupt
            self.launched.append((trial, tuple(words)))
            done = JobReturn(status=JobStatus.COMPLETED)
            done.return_value = self.score(trial)
            returns.append(done)
        return returns


def run(folder: Path, jobs: Jobs, n_trials: int, batch: int = 1, **options: object) -> None:
    with hydra_session():
        words = ["search=optuna_tpe", f"hydra.sweeper.n_trials={n_trials}"]
        words += [f"hydra.sweeper.{key}={value}" for key, value in options.items()]
        hydra: DictConfig = compose_in_session(
            [*words, f"hydra.sweeper.batch={batch}"], with_hydra=True
        ).hydra
        with open_dict(hydra):
            hydra.sweep.dir = str(folder)
        folder.mkdir(exist_ok=True)
        run_trials(hydra, jobs.launch, AXES)


def states(folder: Path) -> list[TrialState]:
    return [trial.state for trial in open_study(folder).get_trials()]


@pytest.mark.slow("search")
def test_a_search_that_was_cut_off_goes_on_as_if_it_had_not_been(tmp_path):
    whole = Jobs()
    run(tmp_path / "whole", whole, 14)
    first, second = Jobs(cut_off_at=12), Jobs()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", first, 14)
    assert states(tmp_path / "cut")[-1] is TrialState.RUNNING
    run(tmp_path / "cut", second, 14)
    assert first.launched + second.launched == whole.launched
    assert [number for number, _ in whole.launched] == list(range(14))
    assert len({words for _, words in whole.launched}) == 14
    more = Jobs()
    run(tmp_path / "cut", more, 15)
    assert [number for number, _ in more.launched] == [14]


def test_trials_are_asked_in_batches_and_a_half_drawn_one_is_not_launched(tmp_path):
    (tmp_path / "batches").mkdir()
    study = open_study(tmp_path / "batches")
    study.ask({"agent.gamma": FloatDistribution(0.9, 0.999)})
    jobs = Jobs()
    run(tmp_path / "batches", jobs, 5, batch=2)
    assert jobs.batches == [2, 2, 1]
    assert [number for number, _ in jobs.launched] == [1, 2, 3, 4, 5]
    assert states(tmp_path / "batches") == [TrialState.FAIL, *[TrialState.COMPLETE] * 5]


def test_too_many_failures_end_the_search_and_a_few_do_not(tmp_path):
    jobs = Jobs(score=lambda trial: math.nan if trial in (1, 3, 5) else 1.0)
    run(tmp_path / "few", jobs, 6, max_failure_rate=0.5)
    assert states(tmp_path / "few").count(TrialState.FAIL) == 3
    with pytest.raises(FoldFailed, match=r"3 of 6 trials have failed.*max_failure_rate=0\.4"):
        run(tmp_path / "many", jobs, 6, max_failure_rate=0.4)
    with (tmp_path / "few" / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["finished", "failed"] * 3
    assert [row["validation_score"] for row in rows] == ["1.0", ""] * 3


# --- pruning ------------------------------------------------------------------------------------


def test_a_trial_below_the_median_of_the_others_is_given_up_by_its_first_seed_alone(tmp_path):
    study = open_study(tmp_path, "median")
    for level in range(5):
        trial = study.ask()
        look = stop_early(study, trial.number, 0, lambda: "first")
        assert not look("first", 0, 100, level)
        assert not look("first", 0, 200, level + 5.0)
        study.tell(trial, float(level))
    trial = study.ask()
    look = stop_early(open_study(tmp_path, "median"), trial.number, 0, lambda: "first")
    assert not look("first", 1, 100, -9.0)
    assert not look("second", 0, 100, -9.0)
    assert not look("first", 0, 100, 3.0)
    assert look("first", 0, 200, 4.0)
    seen = open_study(tmp_path).get_trials()[trial.number]
    assert seen.intermediate_values == {100: 3.0, 200: 4.0}
    assert seen.user_attrs == {PRUNED_AT: 200}


@pytest.mark.slow("search")
@pytest.mark.parametrize("pruner", ["none", "median"])
def test_a_job_of_a_search_reports_the_window_its_score_is_from(tmp_path, pruner):
    words = ["search=optuna_tpe", "debug=tiny", f"hydra.sweeper.pruner={pruner}"]
    with hydra_session():
        hydra = compose_in_session([*words, "hydra.sweeper.trial=0"], with_hydra=True).hydra
    with open_dict(hydra):
        hydra.sweep.dir = str(tmp_path)
    open_study(tmp_path).ask()
    look = stop_early_of(hydra, compose_plan([*words[1:2], "seeds=[7,0]"]))
    assert (look is None) == (pruner == "none")
    if look is not None:
        for window, seed in (("2019-01-01_2019-12-31", 7), ("2018-05-02_2018-06-01", 0)):
            assert not look(window, seed, 320, 9.0)
        assert not look("2018-05-02_2018-06-01", 7, 320, 1.5)
        assert open_study(tmp_path).get_trials()[0].intermediate_values == {320: 1.5}
        again = stop_early_of(hydra, compose_plan([*words[1:2], "seeds=[7,0]"]))
        assert again is not None
        assert not again("2018-05-02_2018-06-01", 7, 320, 1.5)


def test_a_job_that_was_given_up_is_pruned_not_failed(tmp_path):
    folder = tmp_path / "study"

    def score(number: int) -> float:
        if number != 1:
            return 1.0
        study = open_study(folder)
        optuna.trial.Trial(study, number).set_user_attr(PRUNED_AT, 320)
        return math.nan

    run(folder, Jobs(score), 3, max_failure_rate=0)
    assert states(folder) == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE]


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def typed(tmp_path, monkeypatch, capfd) -> Callable[..., tuple[int, str, str]]:
    """Type a command line in an empty folder: exit status, output, complaints."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def type_in(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["intraday-rl", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(str(end.value.code)), *capfd.readouterr()

    return type_in


MISTAKES = {
    "search=optuna_tpe": "search=optuna_tpe: a search runs many jobs; add -m",
    "-m search=optuna_tpe hydra.sweeper.n_trial=3": "did you mean hydra.sweeper.n_trials?",
    "-m search=optuna_tpe hydra.sweeper.n_trials=0": "hydra.sweeper.n_trials=0: must be a number",
    "-m search=optuna_tpe hydra.sweeper.sampler=grid": "expected one of [tpe, random]",
    "-m search=optuna_tpe agent.gama=interval(0,1)": "agent.gama=0.0: no such key; did you mean",
    "-m search=optuna_tpe agent.gamma=interval(0.9,2)": "agent.gamma=2.0: must be a number",
    "-m search=optuna_tpe reward=dsr,sharpe": "reward=sharpe: choose one of",
    "-m hydra/sweeper=search": "the search has no axis",
    "-m search=optuna_tpe task=cost_surface task.run=x": "task=cost_surface: a search needs",
}


@pytest.mark.slow("search")
@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_before_the_first_trial(line, typed):
    status, out, err = typed(*line.split())
    assert status == 2
    assert MISTAKES[line] in err
    assert err.count("\n") == 1
    assert not out
    assert not list(Path().iterdir())


def test_without_optuna_the_remedy_is_named(typed, monkeypatch):
    monkeypatch.setattr(search, "find_spec", lambda _: None)
    status, _, err = typed("-m", "search=optuna_tpe")
    assert (status, err) == (2, "a search needs Optuna: pip install 'intraday-rl[optuna]'\n")


@pytest.mark.parametrize(
    "content",
    ["defaults:\n  - override /hydra/launcher: joblib\n", "hydra:\n  launcher:\n    _target_: x\n"],
)
@pytest.mark.parametrize("line", ["experiment=mine", "-m experiment=mine,quickstart",
                                  "-m experiment=child"])  # fmt: skip
def test_only_a_search_file_says_how_jobs_are_launched(content, line, typed, tmp_path):
    header = "# @package _global_\n"
    write_text(tmp_path / "conf/experiment/mine.yaml", header + content)
    write_text(tmp_path / "conf/experiment/child.yaml", header + "defaults:\n  - mine\n")
    status, _, err = typed(*line.split(), f"hydra.searchpath=[file://{tmp_path}/conf]")
    assert status == 2
    assert f"{tmp_path}/conf/experiment/mine.yaml: sets hydra/launcher" in err
    assert err.count("\n") == 1


@pytest.mark.slow("search")
def test_a_search_writes_its_trials_its_verdict_and_the_command_of_its_best(typed, monkeypatch):
    verdicts = []

    def job(plan, words, **of_the_search):
        if words == ["-m"]:
            verdicts.append(sorted(Path(plan.task.sweep[0], "jobs").glob("*.json")))
            return Outcome(math.nan, 0)
        assert not [word for word in words if word.startswith("search=")]
        return Outcome(plan.agent.gamma, 1 if plan.agent.gamma < 0.92 else 0)

    monkeypatch.setattr(sweep, "run_plan", job)
    line = ("-m", "search=optuna_random", "hydra.sweeper.n_trials=2", "debug=tiny", "reward=dsr",
            "agent.net_arch=[8]", "agent.batch_size=32")  # fmt: skip
    status, out, err = typed(*line, "hydra.sweeper.max_failure_rate=1")
    assert (status, err) == (0, "")
    (study,) = (path for path in Path("outputs/searches").iterdir() if path.is_dir())
    assert (study / JOURNAL).is_file()
    trials = open_study(study).get_trials()
    best = max(trial.params["agent.gamma"] for trial in trials)
    assert f"validation score {best:.4f}" in out
    assert "run it alone: intraday-rl debug=tiny" in out
    assert f"agent.gamma={best!r}" in out
    assert [len(found) for found in verdicts] == [2]
    record = read_json(study / "jobs" / "1.json")
    assert f"agent.gamma={trials[1].params['agent.gamma']!r}" in record["overrides"]

    with FileLock(study.with_suffix(".lock")):
        status, _, err = typed(*line)
    assert status == 2
    assert "this search is running in another process" in err

    assert typed(*line, "force=true", "hydra.sweeper.max_failure_rate=1")[0] == 0
    assert [trial.params for trial in open_study(study).get_trials()] == [
        trial.params for trial in trials
    ]
    assert len(list(study.parent.glob(f"{study.name}-before-*"))) == 1


def test_configuration_md_names_every_option_of_a_search():
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
    with hydra_session():
        options = compose_in_session(["search=optuna_tpe"], with_hydra=True).hydra.sweeper
    assert not [key for key in options if f"`hydra.sweeper.{key}`" not in text and key[0] != "_"]
