"""Composing: the files of `conf`, then the command line on top of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from intraday_rl.config.complaints import COMPOSITION_ERRORS, complaint
from intraday_rl.config.parts import register
from intraday_rl.errors import ConfigError

CONFIG_NAME = "config"


@cache
def conf_folder() -> Path:
    """`conf`: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parent.parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / f"{CONFIG_NAME}.yaml").is_file():
            return folder
    raise ConfigError("conf", str(package.parent / "conf"), "the folder is missing; reinstall")


@contextmanager
def hydra_session() -> Iterator[None]:
    """Hydra looking at `conf`; a caller's own Hydra application is as before afterwards."""
    register()
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = outer


def compose_config(overrides: Sequence[str]) -> DictConfig:
    """The configuration that the command line `overrides` ask for, Hydra's own left out."""
    with hydra_session():
        return compose_in_session(overrides)


def compose_in_session(overrides: Sequence[str], *, with_hydra: bool = False) -> DictConfig:
    """`compose_config` inside a session that is already open."""
    try:
        return compose(CONFIG_NAME, list(overrides), return_hydra_config=with_hydra)
    except COMPOSITION_ERRORS as error:
        raise complaint(error, overrides) from error
