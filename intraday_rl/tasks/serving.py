"""Options of the task that serves routes and carries out jobs."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from intraday_rl.errors import ConfigError, check_range
from intraday_rl.market.calendar import FULL_SESSION_MINUTES
from intraday_rl.market.files import BarLabel
from intraday_rl.tasks.paper import Rehearsal

LOCALHOST = "localhost"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(slots=True, kw_only=True)
class Serve:
    """Serve the routes and the page, and carry out the jobs that they ask for.

    | field | unit | |
    |---|---|---|
    | `host` | | address that is listened on; other machines reach only what is not a loopback |
    | `port` | | that is listened on |
    | `allowed_hosts` | names | a request may be addressed to, beside loopback names and `host` |
    | `token_file` | | holds the token, mode 600; null = the variable INTRADAY_RL_TOKEN |
    | `job_workers` | jobs | carried out at a time; 0 = they wait |
    | `queue_limit` | jobs | that may wait |
    | `cancel_grace_seconds` | seconds | from SIGTERM to SIGKILL of a cancelled job |
    | `agents` | | whether sessions of agents are begun when they are due |
    | `feed_folder` | | where the bars of agents on the feed `file` grow, as of `Paper` |
    | `feed_bar_minutes` | minutes | length of these bars |
    | `feed_bar_label` | start, end | which end of them their stamp names; has no default |
    | `feed_timezone` | IANA name | zone of stamps without one |
    """

    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: list[str] = field(default_factory=list)
    token_file: str | None = None
    job_workers: int = 1
    queue_limit: int = 32
    cancel_grace_seconds: float = 30.0
    agents: bool = True
    feed_folder: str | None = None
    feed_bar_minutes: int = 1
    feed_bar_label: BarLabel | None = None
    feed_timezone: str | None = None
    clock: Rehearsal = field(default_factory=Rehearsal)

    def __post_init__(self) -> None:
        if self.host != LOCALHOST:
            try:
                ipaddress.ip_address(self.host)
            except ValueError:
                remedy = "must be an address of this machine, such as 127.0.0.1"
                raise ConfigError("host", self.host, remedy) from None
        check_range("port", self.port, 1, 65_535)
        for name in self.allowed_hosts:
            if not _NAME.fullmatch(name):
                remedy = "must be names without port or path, such as desk.example"
                raise ConfigError("allowed_hosts", name, remedy)
        if self.token_file is not None and not self.token_file.strip():
            raise ConfigError("token_file", repr(self.token_file), "must name a file")
        check_range("job_workers", self.job_workers, 0, 1_000)
        check_range("feed_bar_minutes", self.feed_bar_minutes, 1, FULL_SESSION_MINUTES)
        check_range("queue_limit", self.queue_limit, 1, 10_000)
        check_range("cancel_grace_seconds", self.cancel_grace_seconds, 0.0, 3_600.0)

    @property
    def shown_host(self) -> str:
        """As it stands in an address, and in a request's Host: IPv6 in brackets, abridged."""
        if ":" not in self.host:
            return self.host
        return f"[{ipaddress.ip_address(self.host).compressed}]"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host == LOCALHOST or ipaddress.ip_address(self.host).is_loopback
