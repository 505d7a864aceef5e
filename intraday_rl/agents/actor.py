"""SAC's deterministic actor in numpy: what evaluates, replays and trades, without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from intraday_rl.errors import ModelError


class ActorPolicy:
    """A ReLU network followed by tanh, one observation at a time.

    weights   float32, (out, in) per layer, row-major     torch's `Linear.weight`
    biases    float32, (out,) per layer                   torch's `Linear.bias`
    output    float in [-1, 1]                            tanh of the last layer's one value

    Hidden layers are max(W x + b, 0). `einsum` without `optimize` stays in numpy's own loops: a
    BLAS would choose its summation order by thread count, and the last bits of an action would
    then depend on the machine's load. The tanh is taken in double precision for the same reason.
    """

    __slots__ = ("_biases", "_weights", "n_obs")

    def __init__(
        self, weights: Sequence[NDArray[np.float32]], biases: Sequence[NDArray[np.float32]]
    ) -> None:
        _check_layers(weights, biases)
        self._weights = tuple(np.array(weight, dtype=np.float32, order="C") for weight in weights)
        self._biases = tuple(np.array(bias, dtype=np.float32, order="C") for bias in biases)
        self.n_obs = int(self._weights[0].shape[1])

    def predict(self, observation: NDArray[np.float32]) -> float:
        """The mean's action; refuses another width or precision and what is not finite."""
        if observation.shape != (self.n_obs,) or observation.dtype != np.float32:
            raise ModelError(
                f"observation has shape {observation.shape} and type {observation.dtype}: "
                f"this actor takes one float32 observation of {self.n_obs} values"
            )
        if not np.isfinite(observation).all():
            raise ModelError(
                f"observation[{int(np.argmin(np.isfinite(observation)))}] is not a finite number: "
                "check the bars and the features of this decision"
            )
        hidden = np.ascontiguousarray(observation)
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            hidden = np.einsum("ij,j->i", weight, hidden)
            hidden += bias
            np.maximum(hidden, 0.0, out=hidden)
        mean = np.einsum("ij,j->i", self._weights[-1], hidden) + self._biases[-1]
        return math.tanh(float(mean[0]))

    def begin_session(self) -> None:
        """Nothing is kept between decisions."""

    def as_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Copies of the layers by name, in the form `from_arrays` reads."""
        arrays: dict[str, NDArray[np.float32]] = {}
        for layer, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            arrays[f"weight_{layer}"] = weight.copy()
            arrays[f"bias_{layer}"] = bias.copy()
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32]]) -> ActorPolicy:
        """The actor whose layers `as_arrays` named; anything missing or besides is refused."""
        n_layers = len(arrays) // 2
        expected = {f"{part}_{layer}" for part in ("weight", "bias") for layer in range(n_layers)}
        if not arrays or set(arrays) != expected:
            raise ModelError(
                f"actor arrays are named {sorted(arrays)}: expected weight_0, bias_0, weight_1, …"
            )
        return cls(
            [arrays[f"weight_{layer}"] for layer in range(n_layers)],
            [arrays[f"bias_{layer}"] for layer in range(n_layers)],
        )


def _check_layers(
    weights: Sequence[NDArray[np.float32]], biases: Sequence[NDArray[np.float32]]
) -> None:
    if not weights or len(weights) != len(biases):
        raise ModelError(f"actor has {len(weights)} weights and {len(biases)} biases: need pairs")
    width: int | None = None
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if weight.dtype != np.float32 or bias.dtype != np.float32:
            raise ModelError(f"actor layer {layer} is {weight.dtype}, {bias.dtype}: need float32")
        if (
            weight.ndim != 2
            or bias.shape != weight.shape[:1]
            or width not in (None, weight.shape[1])
        ):
            raise ModelError(
                f"actor layer {layer} has weight {weight.shape} and bias {bias.shape}: "
                f"need (out, {'in' if width is None else width}) and (out,)"
            )
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ModelError(f"actor layer {layer} holds a value that is not a finite number")
        width = int(weight.shape[0])
    if width != 1:
        raise ModelError(f"actor ends in {width} actions: need one")
