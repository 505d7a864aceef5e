"""What travels with a trained agent: the scaler and the schema of its inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intraday_rl.errors import DataError, ModelError, check_range
from intraday_rl.market.features import Features, column_settings

# Spread of a column, as a share of its size, below which it is rounding noise and not a signal.
CONSTANT_SPREAD = 1e-12


def check_names(expected: Sequence[str], found: Sequence[str], what: str) -> None:
    """Refuse a different ordered list of columns, naming the first difference."""
    for position in range(max(len(expected), len(found))):
        wanted = expected[position] if position < len(expected) else None
        given = found[position] if position < len(found) else None
        if wanted != given:
            raise ModelError(
                f"{what}: column {position} is {given or 'missing'}, "
                f"expected {wanted or 'no further column'}: use the features it was made with"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Scaler:
    """(value - centre) / scale, clipped, as float32: the same numbers in training, test and live.

    names      ordered columns it was fitted on
    centre     mean over the fitted rows; 0 for an unscaled column
    scale      standard deviation (ddof 0); 1 for an unscaled or constant column, never near 0
    clip       bound of the scaled value on either side
    constant   columns without variation in the fitted rows: centred, not magnified
    unscaled   columns passed through (they are 0 to 1 already), clipped like the others

    Timing: the caller hands in train decisions only; nothing is updated afterwards.
    """

    names: tuple[str, ...]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    clip: float
    constant: tuple[str, ...] = ()
    unscaled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_range("clip", self.clip, 0.0, low_open=True)
        for what, column in (("centre", self.centre), ("scale", self.scale)):
            if column.shape != (len(self.names),) or not np.isfinite(column).all():
                raise ModelError(f"scaler: {what} must hold one finite number for each column")
            column.flags.writeable = False
        if not (self.scale > 0.0).all():
            raise ModelError(f"scaler: scale of {self.names[int(self.scale.argmin())]} must be > 0")

    @classmethod
    def fit(
        cls,
        values: NDArray[np.float64],
        names: Sequence[str],
        clip: float,
        unscaled: Sequence[str] = ("time_to_cutoff",),
    ) -> Scaler:
        """Fit on exactly the rows given; a column that does not vary is named, not divided by."""
        names = tuple(names)
        _check_finite(values, names, "scaler")
        if not len(values):
            raise DataError("scaler: no rows to fit on: no train decision lies after the warm-up")
        low, high = values.min(axis=0), values.max(axis=0)
        centre, scale = values.mean(axis=0), values.std(axis=0)
        still = high - low <= CONSTANT_SPREAD * np.maximum(np.abs(low), np.abs(high))
        still |= scale < np.finfo(np.float64).tiny
        centre[still] = low[still]  # the mean of equal numbers may round away from them
        scale[still] = 1.0
        passed = np.array([name in unscaled for name in names], dtype=bool)
        centre[passed], scale[passed] = 0.0, 1.0
        return cls(
            names=names,
            centre=centre,
            scale=scale,
            clip=float(clip),
            constant=tuple(n for n, flag in zip(names, still & ~passed, strict=True) if flag),
            unscaled=tuple(n for n in names if n in unscaled),
        )

    def transform(
        self, values: NDArray[np.float64], names: Sequence[str] | None = None
    ) -> NDArray[np.float32]:
        """Scale one observation or a table of them; names, where given, must be the fitted ones."""
        if names is not None:
            check_names(self.names, names, "scaler")
        _check_finite(values, self.names, "scaler")
        bound = self.bound
        scaled = (values - self.centre) / self.scale
        return np.ascontiguousarray(np.clip(scaled, -bound, bound), dtype=np.float32)

    @property
    def bound(self) -> np.float32:
        """The largest scaled value: `clip` as float32, never beyond it."""
        bound = np.float32(self.clip)
        return np.nextafter(bound, np.float32(0.0)) if float(bound) > self.clip else bound

    def as_dict(self) -> dict[str, object]:
        """JSON-safe and exact: Python writes a float with the digits that read back to it."""
        return {
            "names": list(self.names),
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "clip": self.clip,
            "constant": list(self.constant),
            "unscaled": list(self.unscaled),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, object]) -> Scaler:
        """The scaler that `as_dict` described; a missing or malformed entry is refused."""
        return cls(
            names=_strings(saved, "names"),
            centre=_floats(saved, "centre"),
            scale=_floats(saved, "scale"),
            clip=float(_floats(saved, "clip", single=True)[0]),
            constant=_strings(saved, "constant"),
            unscaled=_strings(saved, "unscaled"),
        )

    def hash(self) -> str:
        """Identity of the scaler: equal for equal numbers on equal columns."""
        return _sha256(self.as_dict())


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """What an agent expects to see: ordered column names and the settings that shaped them."""

    names: tuple[str, ...]
    settings: Mapping[str, object]

    @classmethod
    def of(cls, names: Sequence[str], features: Features) -> FeatureSchema:
        """Schema of an observation: market columns and any account columns after them."""
        return cls(tuple(names), column_settings(features))

    def check(self, other: FeatureSchema) -> None:
        """Refuse another schema, naming the first column or setting that differs."""
        check_names(self.names, other.names, "features")
        for key in sorted({*self.settings, *other.settings}):
            expected, found = self.settings.get(key), other.settings.get(key)
            if expected != found:
                raise ModelError(
                    f"features.{key}={found}: the agent was trained with {expected}: "
                    "use the features it was made with"
                )

    def as_dict(self) -> dict[str, object]:
        """JSON-safe."""
        return {"names": list(self.names), "settings": dict(self.settings)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, object]) -> FeatureSchema:
        """The schema that `as_dict` described."""
        settings = saved.get("settings")
        if not isinstance(settings, Mapping):
            raise ModelError(f"feature schema: settings={settings!r} must be a table")
        return cls(_strings(saved, "names"), {str(key): settings[key] for key in settings})

    def hash(self) -> str:
        """Identity of the schema: names, their order, and the settings."""
        return _sha256(self.as_dict())


def _check_finite(values: NDArray[np.float64], names: Sequence[str], what: str) -> None:
    """Refuse a wrong width, NaN and infinity, naming column and row."""
    if values.ndim not in (1, 2) or values.shape[-1] != len(names):
        raise ModelError(f"{what}: values of shape {values.shape} for {len(names)} columns")
    if np.isfinite(values).all():
        return
    row, column = (int(place) for place in np.argwhere(~np.isfinite(np.atleast_2d(values)))[0])
    found = np.atleast_2d(values)[row, column]
    raise DataError(f"{what}: {names[column]} is {found} in row {row}: hand in rows after warm-up")


def _strings(saved: Mapping[str, object], key: str) -> tuple[str, ...]:
    found = saved.get(key)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ModelError(f"saved {key}={found!r}: must be a list of names")
    return tuple(found)


def _floats(saved: Mapping[str, object], key: str, *, single: bool = False) -> NDArray[np.float64]:
    found = [saved.get(key)] if single else saved.get(key)
    if not isinstance(found, list) or not all(isinstance(item, (int, float)) for item in found):
        raise ModelError(f"saved {key}={found!r}: must be numbers")
    return np.array(found, dtype=np.float64)


def _sha256(described: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
