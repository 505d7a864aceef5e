"""What is printed and not run: --help by ourselves, the rest (--cfg, --info, ...) by Hydra."""

from __future__ import annotations

import string
import sys

import hydra
from omegaconf import DictConfig, OmegaConf, open_dict

from intraday_rl.config import CONFIG_NAME, compose_config, conf_folder, hydra_session, register
from intraday_rl.config.composing import compose_in_session

REFUSED = 2


def show_help(overrides: list[str]) -> int:
    """Hydra's own help copies every schema once per group, which takes seconds."""
    with hydra_session():
        config = compose_in_session(overrides, with_hydra=True)
    template = string.Template(config.hydra.help.template)
    with open_dict(config):
        del config["hydra"]
    text = template.substitute(APP_CONFIG_GROUPS=_groups(), CONFIG=OmegaConf.to_yaml(config))
    sys.stdout.write(text)
    return 0


def show(arguments: list[str], overrides: list[str]) -> int:
    """Let Hydra print, after a look at the overrides that ends in our own message."""
    if not {"-sc", "--shell-completion"} & set(arguments):  # completes half-written overrides
        compose_config(overrides)
    register()
    sys.argv = [sys.argv[0], *arguments]
    hydra_main = hydra.main(
        version_base="1.3", config_path=str(conf_folder()), config_name=CONFIG_NAME
    )(_never_run)
    try:
        hydra_main()
    except SystemExit as end:
        return REFUSED if end.code else 0
    return 0


def _groups() -> str:
    """Every group of `conf` with its options; those below `debug` are pulled in by it."""
    root = conf_folder()
    lines = []
    for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
        group = folder.relative_to(root).as_posix()
        options = sorted(path.stem for path in folder.glob("*.yaml"))
        if options and not group.startswith(("debug/", "local")):
            lines.append(f"{group}: {', '.join(options)}")
    return "\n".join(lines)


def _never_run(config: DictConfig) -> None:
    """Hydra asks for a job even when it only prints."""
