"""What a sweep asks of Ray: a connection with quiet defaults, and the same files on every node."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra.conf import HydraConf
from omegaconf import DictConfig, OmegaConf

from intraday_rl.config.complaints import EXTRAS
from intraday_rl.errors import ConfigError, IntradayRLError

ADDRESS = "hydra.launcher.ray.init.address"
REACH_TIMEOUT_SECONDS = 5.0
# A job takes a configuration and returns a number; everything else goes through files.
OBJECT_STORE_BYTES = 80 * 1024 * 1024
_QUIET = {
    # usage statistics go to a server outside
    "RAY_USAGE_STATS_ENABLED": "0",
    # two jobs may say the same, and each belongs to its own
    "RAY_DEDUP_LOGS": "0",
}


class LostWorker(IntradayRLError):
    """A job ended with the process or the node that ran it."""


def is_ray(launcher: DictConfig) -> bool:
    """Whether the launcher hands its jobs to Ray."""
    return "ray" in launcher


def cores_of_a_job(launcher: DictConfig) -> int:
    """The cores that Ray sets aside for one job; it runs as many jobs as a node has room for."""
    reserved = OmegaConf.select(launcher, "ray.remote.num_cpus", default=None)
    return max(1, int(1 if reserved is None else reserved))


@contextmanager
def connected(launcher: DictConfig) -> Iterator[None]:
    """Connected to the cluster the launcher names; without an address, to one of our own.

    Connecting before the launcher does keeps it from setting the size of the object store, which
    Ray refuses for a cluster that is already there, and turns a wrong address into one message.
    """
    if not is_ray(launcher):
        yield
        return
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise ConfigError("hydra/launcher", "ray", EXTRAS["hydra/launcher", "ray"]) from error
    settings = cast(dict[str, Any], OmegaConf.to_container(launcher.ray.init, resolve=True))
    address = settings.pop("address", None) or os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        settings.setdefault("include_dashboard", False)
        settings.setdefault("object_store_memory", OBJECT_STORE_BYTES)
    else:
        _check_reachable(address)
    try:
        ray.init(address=address, **settings)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        remedy = "see docs/scaling.md, or leave it out for a cluster of this machine"
        raise ConfigError(ADDRESS, address, f"{reason} ({remedy})") from error
    try:
        yield
    finally:
        ray.shutdown()  # jobs that outlive a sweep that broke off would write without a reader


def explained(error: Exception) -> Exception:
    """What Ray says of a lost worker, in one line with the remedy; other errors as they are."""
    if not type(error).__module__.startswith("ray."):
        return error
    reason = str(error).strip().partition("\n")[0]
    return LostWorker(f"{reason} Type the same command again: finished work is kept")


def _check_reachable(address: str) -> None:
    """Ask once, briefly: Ray's own client repeats a refused connection for minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "/" in host:
        return  # `auto`, or an address with a protocol: Ray knows what to do
    try:
        socket.create_connection((host, int(port)), timeout=REACH_TIMEOUT_SECONDS).close()
    except (OSError, OverflowError) as error:
        remedy = "start it by `ray start --head` there, or leave the address out"
        raise ConfigError(
            ADDRESS, address, f"no Ray cluster answers ({error}): {remedy}"
        ) from error


def work_where_the_sweep_was_started(hydra: HydraConf) -> None:
    """A relative path means the same file in every job; a node without these files is refused."""
    if not is_ray(hydra.launcher):
        return
    sweep, folder = Path(hydra.sweep.dir), Path(hydra.runtime.cwd)
    for key, place in (("paths.outputs", sweep / "jobs"), ("the working folder", folder)):
        if not place.is_dir():
            raise ConfigError(
                key, place, f"node {socket.gethostname()} does not see it: every node must share it"
            )
    os.chdir(folder)
