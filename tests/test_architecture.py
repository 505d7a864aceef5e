"""What import-linter cannot say about the house."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "intraday_rl"
SOURCES = sorted(PACKAGE.rglob("*.py"))
KERNEL = PACKAGE / "trading" / "kernel"

# A small program on the compiled kernel: what a forced exit of 100 shares at 50 USD costs.
EXIT_COST = """
import numpy as np
from intraday_rl.trading.kernel import account, layout
book, session, held, entry, row = (
    np.zeros(1, dtype)[0]
    for dtype in (layout.BOOK, layout.SESSION, layout.ACCOUNT, layout.ENTRY, layout.ROW)
)
book["sell"]["commission_usd"], book["commission_maximum_share"] = 0.01, 1.0
held["shares"], held["equity"], row["price"] = 100.0, 5_000.0, 50.0
account.force_exit(book, session, held, entry, row)
print(entry["commission"])
"""


def keys(node: object) -> set[str]:
    if isinstance(node, dict):
        return {str(key) for key in node} | {one for value in node.values() for one in keys(value)}
    return {one for value in node for one in keys(value)} if isinstance(node, list) else set()


def test_no_configuration_names_code():
    for path in (ROOT / "conf").rglob("*.yaml"):
        assert not {key for key in keys(yaml.safe_load(path.read_text())) if key.startswith("_")}


def test_no_module_is_a_drawer_for_odds_and_ends():
    for path in SOURCES:
        assert not {"utils", "util", "helpers", "helper", "manager", "common", "misc"} & {
            part.removesuffix(".py") for part in path.relative_to(PACKAGE).parts
        }


def test_only_the_kernel_knows_numba():
    for path in SOURCES:
        imported = {
            name.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
        }
        assert "numba" not in imported or KERNEL in path.parents, path


def test_every_module_says_what_it_is():
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        assert not tree.body or ast.get_docstring(tree), path


@pytest.mark.slow("main")
def test_editing_a_callee_in_another_file_of_the_kernel_changes_the_result(tmp_path):
    copy = tmp_path / "intraday_rl"
    for name in ("__init__.py", "trading/__init__.py"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / name, copy / name)
    shutil.copytree(KERNEL, copy / "trading/kernel", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "INTRADAY_RL_CACHE": str(tmp_path / "cache"),
    }

    def exit_cost() -> float:
        done = subprocess.run(
            [sys.executable, "-c", EXIT_COST],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return float(done.stdout)

    assert exit_cost() == pytest.approx(1.0)
    assert list((tmp_path / "cache").rglob("account.force_exit*.nbc"))
    callee = copy / "trading/kernel/charges.py"
    before = "charged = shares * side.commission_usd"
    assert before in callee.read_text()
    callee.write_text(
        callee.read_text().replace(before, "charged = 2.0 * shares * side.commission_usd")
    )
    assert exit_cost() == pytest.approx(2.0)
