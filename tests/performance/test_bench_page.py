"""What `make bench` writes: ratios with their spread and verdict, between the page's markers."""

from __future__ import annotations

from pathlib import Path

import pytest
from growth import Growth
from page import BEGIN, END, with_measured, with_rows
from timing import Compared, Measured, compare, number

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def test_a_ratio_is_taken_pair_by_pair_and_its_median_is_judged() -> None:
    row = Compared("speed", "steps/s", [10.0, 40.0, 30.0], [5.0, 10.0, 10.0], goal=3.0).row()
    assert row == "| speed | 30 (10–40) steps/s | 10 (5–10) steps/s | 3 (2–4) | ≥ 3 × ✓ |"


def test_a_goal_that_is_not_reached_is_called_missed() -> None:
    compared = Compared("speed", "steps/s", [2e6], [1e6], goal=2.5, goal_here=1e7)
    assert compared.row().endswith("| ≥ 10M steps/s **missed**; ≥ 2.5 × **missed** |")
    assert Measured("start", "s", [2.5, 1.0, 2.1], goal=2.0).row().endswith("< 2 s **missed** |")
    assert Measured("start", "s", [2.5, 1.0, 1.9], goal=2.0).row().endswith("< 2 s ✓ |")
    assert (
        Growth("seeds", [1.0, 4.0, 17.0], [9, 9, 9]).row().endswith("**more than in proportion** |")
    )


def test_sides_alternate_and_the_first_pair_does_not_count() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    compared = compare("x", "u", lambda: side("ours"), lambda: side("theirs"), rounds=2)
    assert order == ["ours", "theirs"] * 3
    assert (compared.ours, compared.theirs) == ([3.0, 5.0], [4.0, 6.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0312, "0.0312"), (999.0, "999"), (999.7, "1k"), (1_234.0, "1.23k"), (12.3e6, "12.3M")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_only_what_is_between_the_markers_is_replaced() -> None:
    page = f"# Title\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    once = with_measured(page, ["| new |"])
    assert once == f"# Title\n\nbefore\n\n{BEGIN}\n\n| new |\n\n{END}\n\nafter\n"
    assert with_measured(once, ["| new |"]) == once


@pytest.mark.parametrize("page", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN}{END}{END}"])
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="MEASURED BEGIN"):
        with_measured(page, ["| new |"])


def test_a_row_measured_again_takes_the_old_ones_place_and_a_new_one_the_end() -> None:
    table = "| what | here |\n|---|---|\n| one | 1 |\n| two | 2 |\n\n| one | other |\n"
    page = f"Measured 1 on a machine.\n\n{table}"
    again = with_rows(page, "Measured 2 on a machine.", ["pairs"], ["| two | 3 |", "| three | 4 |"])
    assert again == page.replace("| two | 2 |", "| two | 3 |\n| three | 4 |").replace(
        "machine.", "machine.\n\nMeasured 2 again: pairs."
    )


def test_rows_of_another_machine_do_not_mix() -> None:
    with pytest.raises(ValueError, match="another machine or other versions"):
        with_rows("Measured 1 on a machine.\n", "Measured 1 on another.", ["x"], ["| one | 1 |"])


def test_the_page_of_the_project_can_be_written() -> None:
    page = PAGE.read_text("utf-8")
    written = with_measured(page, ["| new |"])
    assert written.partition(BEGIN)[0] == page.partition(BEGIN)[0]
    assert written.partition(END)[2] == page.partition(END)[2]
