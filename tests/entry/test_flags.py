"""What is typed is taken as it is meant, or refused."""

from __future__ import annotations

import pytest

from intraday_rl.entry.flags import command_line


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("task.model=1a2b/2022_2023/seed=0", "task.model='1a2b/2022_2023/seed=0'"),
        ("task.sweep=symbol=SPY", "task.sweep='symbol=SPY'"),
        ("task.model='1a2b/w/seed=0'", "task.model='1a2b/w/seed=0'"),
        ('task.model="1a2b/w/seed=0"', 'task.model="1a2b/w/seed=0"'),
        ("symbol=SPY", "symbol=SPY"),
        ("seeds=[0,1]", "seeds=[0,1]"),
    ],
)  # fmt: skip
def test_a_second_equals_sign_belongs_to_the_value(typed, taken):
    assert command_line([typed]).overrides == [taken]
