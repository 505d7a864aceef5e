"""From YAML and command line to a `Plan`: composing, building, saving, reloading.

A part is a dataclass; its class is its schema. OmegaConf checks types while composing and builds
the objects afterwards, so nothing in a configuration ever names code: there is no `_target_`.
"""

from intraday_rl.config.building import build, compose_plan, reload
from intraday_rl.config.complaints import ConfigProblem
from intraday_rl.config.composing import (
    CONFIG_NAME,
    compose_config,
    conf_folder,
    hydra_session,
)
from intraday_rl.config.parts import PARTS, kind_of, register
from intraday_rl.config.saving import saved

__all__ = [
    "CONFIG_NAME",
    "PARTS",
    "ConfigProblem",
    "build",
    "compose_config",
    "compose_plan",
    "conf_folder",
    "hydra_session",
    "kind_of",
    "register",
    "reload",
    "saved",
]
