"""The parts `sac` and `sac_jax`; their learners are in `sac_torch` and `sac_jax`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec

from intraday_rl.agents.soft_actor_critic import SoftActorCritic
from intraday_rl.errors import ConfigError

# Where the time that compiled updates save exceeds what making the code takes once per machine;
# measured, see docs/performance.md.
UPDATES_WORTH_COMPILING = 4_000


class Compile(Enum):
    """Whether updates run as machine code made for the network's size."""

    auto = "auto"
    always = "always"
    never = "never"


@dataclass(slots=True, kw_only=True)
class Sac(SoftActorCritic):
    """Soft Actor-Critic by Stable-Baselines3, in torch.

    | field | unit | meaning |
    |---|---|---|
    | compile | | updates as machine code; `auto` if the budget earns it and g++ is there |

    Compiled updates differ from others by rounding; what `auto` decides therefore depends on the
    budget configured here alone, never on how much of it is left.
    """

    compile: Compile = Compile.auto

    @property
    def compiles(self) -> bool:
        """Whether updates are to be compiled, if this machine can."""
        if self.compile is Compile.auto:
            return self.total_updates >= UPDATES_WORTH_COMPILING
        return self.compile is Compile.always


@dataclass(slots=True, kw_only=True)
class SacJax(SoftActorCritic):
    """Soft Actor-Critic by SBX, in JAX, which always compiles; needs the extra `jax`."""

    def check_installed(self) -> None:
        """Refuse to train without the libraries; a trained agent acts and is judged without."""
        missing = [library for library in ("jax", "sbx") if find_spec(library) is None]
        if missing:
            raise ConfigError(
                "agent",
                "sac_jax",
                f"needs {' and '.join(missing)}: pip install 'intraday-rl[jax]', or agent=sac",
            )
