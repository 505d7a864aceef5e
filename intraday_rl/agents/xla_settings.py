"""How JAX runs here; it must be said before jax is first imported."""

from __future__ import annotations

import hashlib
import os

from intraday_rl.agents.cache_folder import cache_folder, processor

# Workers share the cores, and the order of a sum must not depend on how many there are.
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def set_up_xla() -> None:
    """One thread, on the CPU; compiled code kept on this machine. A user's own words win."""
    given = os.environ.get("XLA_FLAGS", "")
    if ONE_THREAD not in given:
        os.environ["XLA_FLAGS"] = f"{ONE_THREAD} {given}".strip()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    made_for = hashlib.sha256(processor().encode()).hexdigest()[:16]
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_folder("xla") / made_for))
    # By default only what took a second to compile is kept.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    # XLA warns that code from the cache may not fit this processor, in words of tuning ("prefer no
    # gather") that no processor lists among its own; that it fits, the folder's name says.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
