"""The options of each task; what a task does is in the room that carries it out."""

from intraday_rl.tasks.bars import Download, ImportBars, Inspect
from intraday_rl.tasks.days import parse_day
from intraday_rl.tasks.housekeeping import Clean, Status
from intraday_rl.tasks.judging import Audit, CostSurface, Verdict
from intraday_rl.tasks.paper import BrokerKind, FeedKind, Paper, Rehearsal, RiskLimits
from intraday_rl.tasks.registry import ALIAS, Promote
from intraday_rl.tasks.serving import Serve
from intraday_rl.tasks.training import FinalFit, WalkForward
from intraday_rl.tasks.tuning import Cadence, FineTune, FineTuneStudy, Promotion

__all__ = [
    "ALIAS",
    "Audit",
    "BrokerKind",
    "Cadence",
    "Clean",
    "CostSurface",
    "Download",
    "FeedKind",
    "FinalFit",
    "FineTune",
    "FineTuneStudy",
    "ImportBars",
    "Inspect",
    "Paper",
    "Promote",
    "Promotion",
    "Rehearsal",
    "RiskLimits",
    "Serve",
    "Status",
    "Verdict",
    "WalkForward",
    "parse_day",
]
