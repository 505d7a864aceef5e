"""Composing: the files of `conf`, then the command line on top of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, open_dict

from intraday_rl.config.complaints import COMPOSITION_ERRORS, ConfigProblem, complaint
from intraday_rl.config.parts import register
from intraday_rl.errors import ConfigError

CONFIG_NAME = "config"
# Files that set several things at once. In a sweep Hydra reads them after it has chosen sweeper
# and launcher, so that their choice would be ignored; conf/search is read before.
SEVERAL_AT_ONCE = ("preset", "experiment", "debug", "local")


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
        config = compose(CONFIG_NAME, list(overrides), return_hydra_config=True)
    except COMPOSITION_ERRORS as error:
        raise complaint(error, overrides) from error
    runtime = config.hydra.runtime
    folders = [Path(one.path) for one in runtime.config_sources if one.schema == "file"]
    for group in SEVERAL_AT_ONCE:
        if runtime.choices.get(group) is not None:
            _refuse_launching(folders, f"{group}/{runtime.choices[group]}")
    if not with_hydra:
        with open_dict(config):
            del config["hydra"]
    return config


def _refuse_launching(folders: Sequence[Path], name: str) -> None:
    """Refuse a file, or one it starts from, that says how jobs are launched."""
    files = [path for path in (folder / f"{name}.yaml" for folder in folders) if path.is_file()]
    content = yaml.safe_load(files[0].read_text("utf-8")) if files else None
    content = content or {}
    defaults = [
        (one, None) if isinstance(one, str) else next(iter(one.items()))
        for one in content.get("defaults") or ()
    ]
    chosen = {str(key).rpartition(" ")[2].lstrip("/") for key, _ in defaults}
    for what in ("sweeper", "launcher"):
        if f"hydra/{what}" in chosen or what in (content.get("hydra") or {}):
            raise ConfigProblem(
                f"{files[0]}: sets hydra/{what}, which would be ignored in a sweep; "
                "put it into a file of conf/search, or on the command line"
            )
    for key, value in defaults:
        if value is None and key != "_self_":  # another file of the group, or of the root
            parent = "" if key.startswith("/") else f"{name.rpartition('/')[0]}/"
            _refuse_launching(folders, f"{parent}{key.lstrip('/')}")
