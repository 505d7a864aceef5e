"""`task=serve` on the command line: what it refuses before it opens or writes anything."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace

import pytest

from intraday_rl.config import compose_plan
from intraday_rl.entry import main, serving
from intraday_rl.entry.serving import own_words
from intraday_rl.errors import ConfigError
from intraday_rl.web.serving import serve
from intraday_rl.web.token import Token
from tests.web.conftest import TOKEN


@pytest.fixture
def leave(tmp_path, monkeypatch, capfd):
    """Exit status, output and files of a command in an empty folder."""

    def run(*words: str) -> tuple[int, str, str, list[str]]:
        monkeypatch.setattr(sys, "argv", ["intraday-rl", "task=serve", *words])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return int(str(end.value.code)), out, err, os.listdir()

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INTRADAY_RL_TOKEN", raising=False)
    return run


def test_a_dry_run_says_where_it_would_listen_and_writes_nothing(leave):
    status, out, _, files = leave("dry_run=true", "task.port=8123")
    assert (status, files) == (0, [])
    assert "would serve http://127.0.0.1:8123 to this machine alone" in out
    assert "would serve http://[::1]:8000 to this" in leave("dry_run=true", "task.host='::1'")[1]
    assert "other machines too" in leave("dry_run=true", "task.host='0.0.0.0'")[1]


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("task.port=0", "task.port=0: must be a number in [1, 65535]"),
        ("task.host=desk", "task.host=desk: must be an address"),
        ("task.allowed_hosts=[http://x]", "task.allowed_hosts=http://x: must be names"),
        ("task.job_workers=-1", "task.job_workers=-1: must be"),
        ("task.queue_limit=0", "task.queue_limit=0: must be"),
        ("task.cancel_grace_seconds=-1", "task.cancel_grace_seconds=-1.0: must be"),
        ("seeds=[0]", "INTRADAY_RL_TOKEN"),
        ("task.token_file=nowhere", "task.token_file=nowhere: cannot be read"),
    ],
)
def test_a_wrong_server_is_one_message_and_nothing_written(leave, word, complaint):
    status, out, err, files = leave(word)
    assert (status, out, files) == (2, "", [])
    assert complaint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["task.port=8702,8703"], "task=serve: goes on until a signal"),
        (["task.port=8702", "dry_run=true"], "task=serve: goes on until a signal"),
        (["task=paper", "task.model=m", "task.feed=file", "task.feed_folder=x",
          "task.feed_bar_label=start", "task.agent=a", "seeds=[0],[1]"],
         "task.feed=file: goes on until a signal"),
    ],
)  # fmt: skip
def test_what_only_a_signal_ends_is_no_job_of_a_sweep(leave, monkeypatch, words, complaint):
    monkeypatch.setenv("INTRADAY_RL_TOKEN", TOKEN)
    status, out, err, files = leave(*words, "-m")
    assert (status, out, files) == (2, "", [])
    assert complaint in err
    assert err.count("\n") == 1


def test_without_its_libraries_the_extra_is_named(leave, monkeypatch):
    monkeypatch.setattr(serving, "find_spec", lambda name: None)
    status, _, err, _ = leave()
    assert status == 2
    assert "pip install 'intraday-rl[web]'" in err


def test_a_port_that_is_taken_is_one_message(desk):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        task = compose_plan(["task=serve", f"task.port={taken.getsockname()[1]}"]).task
        busy = replace(desk, plan=replace(desk.plan, task=task))
        with pytest.raises(ConfigError, match=r"task\.port=\d+: cannot be listened on"):
            serve(busy, Token(TOKEN))


def test_jobs_inherit_what_the_server_was_started_with_but_not_its_task():
    command = [
        "intraday-rl", "task=serve", "task.port=1", "'data.path=a b.csv'", "+data.columns.x=y",
        "dry_run=false", "symbol=SPY", "format=json",
    ]  # fmt: skip
    assert own_words(command) == ["data.path=a b.csv", "+data.columns.x=y", "symbol=SPY"]
