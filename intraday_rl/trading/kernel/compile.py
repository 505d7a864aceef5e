"""The one decorator of the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile with numba, cached on disk; division by zero follows IEEE, not Python.

    No fast-math: a result must not depend on how a loop was vectorised.
    """
    return cast(Function, numba.njit(cache=True, error_model="numpy")(function))
