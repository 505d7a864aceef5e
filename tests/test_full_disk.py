"""A disk that fills up, or turns read-only, under a run: one message, and the same command ends it.

Real file systems: a small tmpfs, a bind mount; both need root and the right to mount.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

RUN = ["agent=random", "debug=tiny", "seeds=[0,1]"]
SOURCES_OF_TRUTH = ("ledger.parquet", "result.json", "evaluation.log")
LONGEST_SECONDS = 120.0


def mount(*words: str) -> bool:
    """Whether the system mounts; what it says otherwise belongs to the test's output."""
    return subprocess.run(["mount", *words], check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        os.name != "posix"
        or os.geteuid()
        or not mount("-t", "tmpfs", "-o", "size=64m", "t", folder)
    ):
        pytest.skip("needs root and the right to mount a file system")
    yield folder
    while subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode == 0:
        pass  # the bind mount lies over the tmpfs


def start(outputs: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "intraday_rl", *RUN, *words,
         f"paths.outputs={outputs}", f"paths.state={outputs.parent.parent}/state"],
        cwd=outputs.parent.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = run.communicate(timeout=LONGEST_SECONDS)
    return run.returncode, err


def results(outputs: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(outputs)): path.read_bytes()
        for name in SOURCES_OF_TRUTH
        for path in outputs.glob(f"runs/**/{name}")
    }


def refused(status: int, err: str, outputs: Path) -> None:
    assert status == 2, err
    assert "Traceback" not in err
    assert f"paths.outputs={outputs}: cannot be written to (" in err.splitlines()[-1]


@pytest.mark.slow("input")
@pytest.mark.parametrize(
    ("tracking", "sizes"),
    [("none", ("100k", "400k", "1200k")), ("mlflow", ("1600k", "2400k", "3200k"))],
)
def test_a_full_disk_is_one_message_and_with_room_the_same_command_completes(
    disk: Path, tmp_path: Path, tracking: str, sizes: tuple[str, ...]
) -> None:
    (tmp_path / "quiet").mkdir()
    undisturbed = tmp_path / "quiet" / "outputs"
    assert ended(start(undisturbed, f"tracking={tracking}"))[0] == 0
    outputs = disk / "outputs"
    for size in sizes:  # each attempt gets a little further
        assert mount("-o", f"remount,size={size}", str(disk))
        status, err = ended(start(outputs, f"tracking={tracking}"))
        refused(status, err, outputs)
    assert mount("-o", "remount,size=64m", str(disk))
    status, err = ended(start(outputs, f"tracking={tracking}"))
    assert status == 0, err
    assert len(results(outputs)) > 6
    assert results(outputs) == results(undisturbed)


@pytest.mark.slow("input")
def test_outputs_turned_read_only_are_one_message_and_the_same_command_completes(
    disk: Path, tmp_path: Path
) -> None:
    (tmp_path / "quiet").mkdir()
    undisturbed = tmp_path / "quiet" / "outputs"
    assert ended(start(undisturbed, "tracking=none"))[0] == 0
    outputs = disk / "outputs"
    run = start(outputs, "tracking=none")
    deadline = time.monotonic() + LONGEST_SECONDS
    while not list(outputs.glob("runs/*/data.json")):
        assert time.monotonic() < deadline
        assert run.poll() is None, "the run has not begun"
    # A read-only mount on top, that root must obey too: leases keep files of the one below open.
    assert mount("--bind", str(outputs), str(outputs))
    assert mount("-o", "remount,bind,ro", str(outputs))
    status, err = ended(run)
    refused(status, err, outputs)
    assert "Read-only file system" in err
    assert subprocess.run(["umount", str(outputs)], check=False).returncode == 0
    status, err = ended(start(outputs, "tracking=none"))
    assert status == 0, err
    assert results(outputs) == results(undisturbed)
