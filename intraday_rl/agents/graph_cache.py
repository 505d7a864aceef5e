"""Functions of tensors as machine code, compiled once per machine and shared by its processes."""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from intraday_rl.agents.cache_folder import cache_folder, processor
from intraday_rl.errors import ConfigError

logger = logging.getLogger(__name__)

TensorLists = Sequence[Sequence[Tensor]]


def compiler() -> str:
    """The C++ compiler that torch calls."""
    return os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")


def has_compiler() -> bool:
    """True if it is there."""
    return shutil.which(compiler()) is not None


def compiled(
    function: Callable[..., Tensor], arguments: TensorLists
) -> Callable[[TensorLists], Tensor]:
    """`function` as one machine-code graph, for arguments of exactly these shapes.

    function    pure but for changes of its arguments in place; its code in one source file
    arguments   lists of float32 tensors on the CPU, contiguous; read for their shapes alone

    The code is made ahead of time by TorchInductor, for one thread. The file it is kept in is
    named by all that decides it: source, torch, processor and shapes. One process makes it while
    others that want it wait; afterwards loading takes a moment and changes no random state.
    """
    path = cache_folder("graphs") / f"{function.__name__}-{_key(function, arguments)}.pt2"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():  # else another process was faster
                _build(function, arguments, path)
    run = _load(str(path))
    return lambda lists: run([tensor for part in lists for tensor in part])[0]


@cache
def _load(path: str) -> Callable[[list[Tensor]], list[Tensor]]:
    # The file's name vouches for the processor; torch would ask the compiler about it for a second.
    with torch._inductor.config.patch({"cpp.vec_isa_ok": True}):
        package = torch._inductor.aoti_load_package(path)
    # The loader itself: its wrapper would parse the tree of arguments again at each call.
    run: Callable[[list[Tensor]], list[Tensor]] = package.loader.run
    return run


def _build(function: Callable[..., Tensor], arguments: TensorLists, path: Path) -> None:
    started = time.perf_counter()
    logger.info("compiling %s, once for this machine and these shapes", function.__name__)
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as workplace,
        _inductor_folder(workplace),
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
    ):
        # torch's own use of its own deprecated class.
        warnings.filterwarnings("ignore", message=r".*LeafSpec.*", category=FutureWarning)
        fresh = Path(workplace) / path.name
        graph = make_fx(function, tracing_mode="fake")(*arguments)
        program = torch.export.export(graph, tuple(arguments))
        try:
            torch._inductor.aoti_compile_and_package(
                program,
                package_path=str(fresh),
                inductor_configs={
                    "cpp.threads": 1,
                    # The wrapper only passes tensors on: optimising it gains nothing.
                    "aot_inductor.compile_wrapper_opt_level": "O0",
                    "aot_inductor.precompile_headers": False,
                },
            )
        except torch._inductor.exc.InductorError as error:
            raise ConfigError(
                "CXX",
                compiler(),
                f"does not compile what torch writes ({str(error).splitlines()[0]}): "
                "name another compiler, install a newer g++, or set agent.compile=never",
            ) from error
        fresh.replace(path)
    logger.info("compiled %s in %.0f s", function.__name__, time.perf_counter() - started)


def _key(function: Callable[..., Tensor], arguments: TensorLists) -> str:
    digest = hashlib.sha256()
    for source in (inspect.getsourcefile(function), __file__):
        digest.update(Path(str(source)).read_bytes())
    shapes = [[tuple(tensor.shape) for tensor in part] for part in arguments]
    digest.update(repr((torch.__version__, _processor(), shapes)).encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    return f"{processor()} {torch.backends.cpu.get_cpu_capability()}"


@contextmanager
def _inductor_folder(folder: str) -> Iterator[None]:
    """Where TorchInductor works; what it leaves there is not needed again."""
    name = "TORCHINDUCTOR_CACHE_DIR"
    before = os.environ.get(name)
    os.environ[name] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
