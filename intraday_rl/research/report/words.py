"""The verdict in plain words: what was found, how sure one can be, what was assumed."""

from __future__ import annotations

from typing import Any

from intraday_rl.research.report.evidence import FoldEvidence, Whole
from intraday_rl.research.report.figures import capital
from intraday_rl.research.report.numbers import (
    NOTHING,
    bounds,
    count,
    dollars,
    number,
    percent,
    sharpe_with_interval,
    with_interval,
)
from intraday_rl.saved_plan import SavedPlan
from intraday_rl.statistics.verdict import Verdict

MEANINGS = {
    Verdict.failed: "at least one seed ended without a result; nothing is concluded",
    Verdict.ruined: "a seed that traded lost nine tenths of its account",
    Verdict.no_trades: "the policy of every seed never opened a position",
    Verdict.abstained: "every seed chose, on its validation days, to stay flat in the test",
    Verdict.beats_hold: "made money after costs and beat holding beyond the 95 % interval",
    Verdict.no_edge: "no advantage over holding was shown",
}
_LEARNED = "sac"


def headline(verdict: dict[str, Any]) -> str:
    """The result in one sentence."""
    found = Verdict(verdict["verdict"])
    who = "the agent" if verdict["agent"].startswith(_LEARNED) else f"“{verdict['agent']}”"
    start = "On synthetic bars: " if verdict["synthetic"] else ""
    return capital(start + _finding(found, who, verdict))


def _finding(found: Verdict, who: str, verdict: dict[str, Any]) -> str:
    if found is Verdict.failed:
        failed, planned = verdict["folds_failed"], len(verdict["folds"])
        return f"no answer, {failed} of {planned} test windows failed."
    if found is Verdict.no_trades:
        return f"{who} never traded."
    if found is Verdict.abstained:
        return f"{who} stayed out. No seed proved an advantage before the test, so none was traded."
    traded = verdict["as_traded"]
    earned = percent(traded["total_return"])
    if found is Verdict.ruined:
        return f"no, {who} lost an account. Mean return over seeds after costs: {earned}."
    if found is Verdict.beats_hold:
        return f"yes, on these days {who} made {earned} after all costs and beat holding."
    if traded["total_return"] <= 0:
        return f"no, {who} did not make money. Return after all costs: {earned}."
    if traded["sharpe_low"] is not None and traded["sharpe_low"] > 0:
        return f"{who} made {earned} after all costs, but did not surely beat holding."
    return f"not shown. {who} made {earned} after all costs, which luck alone could explain."


def sureness(verdict: dict[str, Any]) -> list[str]:
    """What the intervals allow to say, sentence by sentence."""
    if "as_traded" not in verdict:
        return ["No test window finished, so there is nothing to be sure of."]
    traded, lines = verdict["as_traded"], []
    low, high = traded["sharpe_low"], traded["sharpe_high"]
    if low is None or high is None:
        lines.append(
            "The daily returns are constant or too few: there is no interval, and nothing to "
            "conclude about skill."
        )
    elif low > 0:
        lines.append(
            "The interval of the Sharpe ratio lies above zero: luck with these days alone is an "
            "unlikely explanation of the gain."
        )
    elif high < 0:
        lines.append(
            "The interval of the Sharpe ratio lies below zero: the loss is more than bad luck "
            "with these days."
        )
    else:
        lines.append(
            "The interval of the Sharpe ratio contains zero: an agent that earns nothing could "
            "have produced these days."
        )
    if verdict["folds_failed"]:
        lines.append("These numbers cover only the windows that finished.")
    against = verdict["against_hold_daily"]
    if against["low"] is not None:
        if against["low"] > 0:
            lines.append("Against holding on the same days it is ahead beyond the interval.")
        elif against["high"] < 0:
            lines.append("Against holding on the same days it is behind beyond the interval.")
        else:
            lines.append("Against holding on the same days no difference is shown either way.")
    lines.append(
        "The intervals cover the luck of the days. They do not count how many other settings were "
        "tried before this one, and they assume that the market keeps behaving as on these days."
    )
    return lines


def key_numbers(verdict: dict[str, Any], whole: Whole | None) -> list[tuple[str, str, str]]:
    """(name, estimate with interval, what it is) for the cards under the headline."""
    if "as_traded" not in verdict or whole is None:
        return []
    traded = verdict["as_traded"]
    sessions, needed = traded["sessions"], traded["minimum_track_record_sessions"]
    likely = traded["probabilistic_sharpe"]
    over = verdict["sharpe_over_seeds"]
    return [
        (
            "Return after costs",
            with_interval(whole.traded, "percent"),
            f"compounded over {count(sessions)} test sessions; holding: "
            f"{with_interval(whole.hold, 'percent')}",
        ),
        (
            "Sharpe ratio, annualised",
            sharpe_with_interval(traded),
            f"of the mean over seeds; holding: {sharpe_with_interval(verdict['hold'])}",
        ),
        (
            "Lead over holding, a day",
            with_interval(verdict["against_hold_daily"], "bp"),
            "mean daily difference on the same days, paired; 1 bp is a hundredth of a percent",
        ),
        (
            "Chance that the true Sharpe ratio is above zero",
            NOTHING if likely is None else _chance(likely),
            _track_record(likely, sessions, needed),
        ),
        (
            "One seed's Sharpe ratio",
            f"{number(over['estimate'])} {bounds(over['low'], over['high'])}",
            "interquartile mean over windows and seeds, stratified bootstrap over seeds",
        ),
        (
            "Deepest fall",
            percent(traded["max_drawdown"]),
            "of the equity after every bar; "
            f"holding: {percent(verdict['hold']['max_drawdown'])}",
        ),
    ]  # fmt: skip


def _track_record(likely: float | None, sessions: int, needed: float | None) -> str:
    start = f"probabilistic Sharpe ratio of these {count(sessions)} sessions alone; "
    if likely is None:
        return start + "a constant series has none"
    if needed is None:
        return start + "no number of sessions like these would show a gain"
    return start + f"{count(needed)} sessions like these are needed for 95 %"


def assumptions(verdict: dict[str, Any], record: SavedPlan) -> list[str]:
    """What was taken for granted, besides the cost settings."""
    env = record.values["env"]
    fills = {
        "next_open": "An order decided at the end of a bar fills at the open of the next bar.",
        "next_close": "An order decided at the end of a bar fills at the close of the next bar.",
        "close": "An order fills at the close of the very bar it was decided on: optimistic.",
    }
    lines = [fills[verdict["fill"]]]
    if verdict["shorting_assumed_possible"]:
        lines.append("Shorting is assumed possible: shares could always be borrowed.")
    else:
        lines.append("Long positions only; nothing is sold short.")
    cutoff = env["cutoff"]
    latest = cutoff.get("latest_time")
    lines.append(
        "Every position is closed at the cutoff: "
        + (f"{latest} New York or " if latest else "")
        + f"{cutoff['minutes_before_close']} minutes before the close, whichever comes first"
        + (", so earlier on half days." if latest else ".")
    )
    lines += [
        f"Each test window starts with {dollars(env['initial_equity'])} and compounds; windows "
        "are chained by their daily returns.",
        "Orders are filled whole, whatever the volume of the bar; price impact is charged only if "
        "the cost settings below say so.",
        "The mean over seeds is an account split equally among the seeds every morning; one seed "
        "alone is less steady, see the table of seeds.",
        "The risk-free rate is taken as zero; a year has 252 sessions.",
    ]
    return lines


def describe_windows(folds: list[FoldEvidence]) -> str:
    """How many windows of which days were tested."""
    days = [day for fold in folds for day in fold.days]
    if not days:
        return "no test sessions"
    return f"{count(len(folds))} test windows, {count(len(days))} sessions, {days[0]} to {days[-1]}"


def _chance(probability: float) -> str:
    if probability > 0.999:
        return "above 99.9 %"
    return "below 0.1 %" if probability < 0.001 else percent(probability)
