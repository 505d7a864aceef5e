"""What only one job at a time may work on, such as one version of a model."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from intraday_rl.errors import ConfigError, IntradayRLError
from intraday_rl.jobs.job import Order
from intraday_rl.model_choice import ChosenModel, choose_model
from intraday_rl.tracking.registry_file import registry_file
from intraday_rl.web.desk import Desk
from intraday_rl.web.runs import changed_ns

MOST_REMEMBERED = 64


def subject(desk: Desk, chosen: ChosenModel) -> str:
    """The bundle by its place below `paths.outputs`: two names may mean one."""
    if chosen.name is not None:
        return f"{chosen.name} version {chosen.version}"
    try:
        return str(chosen.bundle.relative_to(desk.outputs))
    except ValueError:
        remedy = "does not lie below the runs of this server"
        raise ConfigError("model", chosen.spec, remedy) from None


def subjects_by_now(desk: Desk) -> Callable[[Order], str | None]:
    """What an order is about when it is asked, not when it came: an alias moves meanwhile."""

    @lru_cache(maxsize=MOST_REMEMBERED)
    def tuned(words: tuple[str, ...], spec: str, registry_changed: int) -> str | None:
        try:
            return subject(desk, choose_model(desk.planned(words), spec, registry=desk.registry))
        except IntradayRLError:  # nothing it could work on is left: it begins, and says so itself
            return None

    def by_now(order: Order) -> str | None:
        if order.kind != "fine_tune":
            return order.subject
        return tuned(order.words, order.payload["model"], changed_ns(registry_file(desk.outputs)))

    return by_now
