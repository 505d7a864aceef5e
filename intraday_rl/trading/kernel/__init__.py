"""Every compiled function of the project: one fill, one charge, one mark, one reward step.

numba's on-disk cache knows when a file changed, but not when a *callee in another file* did: the
callers then keep the old machine code. So all jitted functions live in this package, and their
cache lies in a folder named by the hash of all its sources; any edit starts a new cache.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from numba.core import config as numba_config
from platformdirs import user_cache_path


def sources_hash(folder: Path) -> str:
    """Hash of every source in `folder`, names included."""
    digest = hashlib.sha256()
    for source in sorted(folder.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _cache_folder() -> str:
    root = os.environ.get("INTRADAY_RL_CACHE")
    base = Path(root) if root else user_cache_path("intraday_rl")
    return str(base / "kernel" / sources_hash(Path(__file__).parent))


# The decorators read numba's setting when the submodules are imported; afterwards it is put back,
# since other packages compile with numba too.
_previous: str = vars(numba_config)["CACHE_DIR"]
vars(numba_config)["CACHE_DIR"] = _cache_folder()
try:
    from intraday_rl.trading.kernel import (  # noqa: F401
        account,
        charges,
        decide,
        draw,
        filled,
        layout,
        moments,
        observe,
        replay,
        step,
    )
finally:
    vars(numba_config)["CACHE_DIR"] = _previous
