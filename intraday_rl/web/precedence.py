"""Which of a server's own words stand beside those of a job.

From the weakest to the strongest: the server's own words, the preset that a job chooses, what the
job itself says. On one command line a preset would be weaker than any word, so what it sets is
taken out of the server's; and so is what the server says about an option when the job has another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intraday_rl.web.choices import TOP, Choices
from intraday_rl.web.words import literal

Bundles = Mapping[str, Mapping[str, Any]]


def standing_words(
    said: Sequence[str], own_words: Sequence[str], choices: Choices, bundles: Bundles
) -> list[str]:
    """The server's own words that a job which says `said` leaves standing.

    `bundles`: what an own word stands for that stands for several, such as a preset. Unless all
    of them may stand as they are, they are written out, so that a part can fall away.
    """
    asked = _Asked.of(said, choices)
    left = [word for word in own_words if not asked.replaces(word)]
    whole = {word: list(_written_out(bundles[word], asked)) for word in bundles if word in left}
    if not any(asked.replaces(one) for word in whole.values() for one in word):
        return left
    written = [one for word in whole.values() for one in word if not asked.replaces(one)]
    return [*written, *(word for word in left if word not in whole)]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a job chooses, by itself or through its preset, and which keys that preset sets."""

    choices: Choices
    chosen: Mapping[str, str]
    preset_keys: frozenset[str]

    @classmethod
    def of(cls, said: Iterable[str], choices: Choices) -> _Asked:
        chosen = dict(word.split("=", 1) for word in said if _is_choice(word))
        preset = chosen.get("preset")
        if preset is None or preset not in choices.presets:
            return cls(choices, chosen, frozenset())
        by_preset = choices.presets[preset]["choices"]
        return cls(choices, {**by_preset, **chosen}, choices.keys_of(preset))

    def option(self, group: str) -> str:
        return self.chosen.get(group, str(self.choices.groups[group]["default"]))

    def replaces(self, word: str) -> bool:
        """Set by the job's preset, said again, or said of another option than the job's."""
        key = word.partition("=")[0].lstrip("+~")
        return key in self.preset_keys or any(
            key == group or (self._differs(group) and key.startswith(f"{group.replace('/', '.')}."))
            for group in self.chosen
        )

    def _differs(self, group: str) -> bool:
        known = self.choices.groups.get(group)
        return known is None or known["default"] != self.chosen[group]


def _written_out(bundle: Mapping[str, Any], asked: _Asked) -> Iterator[str]:
    for group, option in bundle["choices"].items():
        yield f"{group}={option}"
    of_parts = [options.get(asked.option(group), {}) for group, options in bundle["parts"].items()]
    for values in (bundle["values"], *of_parts):
        for key, value in values.items():
            yield f"{key}={literal(value)}"


def _is_choice(word: str) -> bool:
    """`group=option`; a value's key has a dot, or lies at the top."""
    key = word.partition("=")[0]
    return "." not in key and key not in TOP
