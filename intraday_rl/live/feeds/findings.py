"""What is found wrong with what comes in, each thing said once."""

from __future__ import annotations


class Findings:
    """Sentences in plain words, in the order in which they were first said."""

    def __init__(self) -> None:
        self._fetched: dict[str, bool] = {}

    def say(self, finding: str) -> None:
        """Note a finding; one that was said before is not said again."""
        self._fetched.setdefault(finding, False)

    def new(self) -> tuple[str, ...]:
        """What was said since the last call."""
        new = tuple(finding for finding, fetched in self._fetched.items() if not fetched)
        self._fetched.update(dict.fromkeys(new, True))
        return new
