"""Seconds until the first four compiled updates are made: `compiling.py WIDTH CACHE_FOLDER`."""

from __future__ import annotations

import os
import sys

from learners import learner
from timing import seconds

from intraday_rl.agents.sac import Compile


def main(width: int, cache: str) -> None:
    """The learner is made first, with the kernel's own cache; the folder is for the updates."""
    model = learner(width, Compile.never).model
    compiled = learner(width, Compile.always, learn=False).model
    compiled.replay_buffer, compiled._logger = model.replay_buffer, model.logger
    os.environ["INTRADAY_RL_CACHE"] = cache
    print(seconds(lambda: compiled.train(gradient_steps=4, batch_size=256)))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
