"""What a series may be: finite numbers of a known shape, refused by name otherwise."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intraday_rl.errors import DataError

FloatArray = NDArray[np.float64]


def finite_vector(name: str, values: ArrayLike) -> FloatArray:
    """One dimension, every entry finite, as float64."""
    return _finite(name, values, 1)


def finite_matrix(name: str, values: ArrayLike) -> FloatArray:
    """Two dimensions, every entry finite, as float64."""
    return _finite(name, values, 2)


def same_length(**vectors: NDArray[np.generic]) -> int:
    """The common length of the named vectors."""
    lengths = {name: len(vector) for name, vector in vectors.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"lengths differ: {lengths}; hand in vectors over the same rows")
    return next(iter(lengths.values()))


def constant_rows(values: FloatArray) -> NDArray[np.bool_]:
    """True where the last axis holds one number only; exact, since a standard deviation is not."""
    if values.shape[-1] == 0:
        return np.ones(values.shape[:-1], dtype=np.bool_)
    return np.asarray(values.max(axis=-1) == values.min(axis=-1))


def is_constant(values: FloatArray) -> bool:
    """True for a series that holds one number only (also for none)."""
    return bool(constant_rows(values))


def _finite(name: str, values: ArrayLike, dimensions: int) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions:
        raise DataError(f"{name} has {array.ndim} dimensions; {dimensions} needed")
    if not np.isfinite(array).all():
        row = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        value = array[tuple(row)]
        raise DataError(f"{name}{row}={value}: must be finite; drop or mark failed series before")
    return array
