"""The verdict in plain sentences: what was found, what luck could explain, what was not counted."""

from __future__ import annotations

from typing import Any

from intraday_rl.research.report.numbers import NOTHING, number, percent, sharpe_with_interval
from intraday_rl.research.sweep.judging import Finding
from intraday_rl.research.sweep.ranking import sharpe_of

MEANINGS = {
    Finding.no_result: "no configuration finished every test window; nothing is concluded",
    Finding.stayed_out: "no configuration did better than staying out of the market",
    Finding.loses: "even the best configuration lost money after costs",
    Finding.luck: "the best of as many tries without any skill could look this good",
    Finding.fades: "the best stands out, but picking by past results did not carry over",
    Finding.stands: "the best is more than the luck of the search, and the choice carried over",
}
_SHORT = {
    Finding.no_result: "nothing to judge",
    Finding.stayed_out: "nothing beat staying out",
    Finding.loses: "every configuration lost",
    Finding.luck: "luck explains the best result",
    Finding.fades: "the best result did not carry over",
    Finding.stands: "the best result holds up",
}


def headline(worlds: list[dict[str, Any]]) -> str:
    """The whole sweep in one sentence."""
    synthetic = "On synthetic bars: " if all(world["synthetic"] for world in worlds) else ""
    if len(worlds) == 1:
        return _capital(f"{synthetic}{_SHORT[Finding(worlds[0]['finding'])]}.")
    said = [_SHORT[Finding(world["finding"])] for world in worlds]
    counts = {text: said.count(text) for text in dict.fromkeys(said)}
    parts = [f"{text} in {many} of {len(worlds)} worlds" for text, many in counts.items()]
    return _capital(synthetic + "; ".join(parts) + ".")


def paragraph(world: dict[str, Any]) -> str:
    """A world's verdict in one paragraph."""
    sentences = [_tried(world)]
    if "best" not in world:
        sentences.append("None of them finished every test window, so there is nothing to judge.")
        return " ".join(sentences)
    sentences += [_best(world), *_luck(world), *_chosen(world), *_overfitting(world)]
    sentences.append(f"Verdict: {MEANINGS[Finding(world['finding'])]}.")
    return " ".join(sentences)


def caveats(world: dict[str, Any]) -> list[str]:
    """What a reader must know before believing the numbers of a world."""
    lines, counts = [], world["trials"]
    if world["synthetic"]:
        lines.append("Synthetic bars: this says nothing about a real market.")
    if world["reconstructed"]:
        lines.append("Reconstructed bars: these prices were computed, not traded.")
    if world["fill_is_same_bar"]:
        lines.append("Orders fill at the close they were decided on (env.fill=close): optimistic.")
    if world["fill_is_effectively_same_bar"]:
        lines.append(
            "Some bars were built from closes: the next open is the close just seen, so fills are "
            "optimistic; env.fill=next_close is the cautious choice."
        )
    if world["code_versions"] > 1:
        lines.append("These runs come from different versions of the code.")
    if counts["failed"] + counts["abandoned"]:
        lines.append(
            f"{counts['failed']} failed and {counts['abandoned']} abandoned configurations count "
            "as tries; what they would have earned is unknown."
        )
    if counts["with_series"] == 1 and counts["at_least"] > 1:
        lines.append(
            "Only one configuration has a result: how much results differ between tries is not "
            "known, so the spread expected without any skill stands in."
        )
    lines.append(
        "N counts what this verdict was given. Whatever was tried elsewhere, by anybody, on these "
        "days is known only as far as the record of looks goes."
    )
    return lines


def _tried(world: dict[str, Any]) -> str:
    counts = world["trials"]
    days = f"{world['sessions']} test days, " if world["sessions"] else ""
    days += f"{world['tests'][0][1]} to {world['tests'][-1][2]}"
    many = _many(counts["raw"], "configuration was", "configurations were")
    text = f"{many} tried on {world['symbol']} ({days})"
    lost = counts["failed"] + counts["abandoned"]
    text += f"; {lost} of them ended without a result." if lost else "."
    if counts["looks"]:
        text += (
            f" These days of {world['symbol']} have been looked at {counts['looks']} times by "
            "learned agents (every seed is a look)."
        )
    return text


def _best(world: dict[str, Any]) -> str:
    best, hold = world["best"], world.get("hold")
    if best["sharpe"] is None:
        return _stayed_out(world["ranking"])
    beside = f"; holding from open to cutoff: {sharpe_with_interval(hold)}" if hold else ""
    return (
        f"The best in the tests, {best['name']}, has a Sharpe ratio of "
        f"{sharpe_with_interval(best)} a year after all costs (return "
        f"{percent(best['total_return'])}){beside}."
    )


def _stayed_out(ranking: list[dict[str, Any]]) -> str:
    """No configuration did better than an account that never trades."""
    raw = [row for row in ranking if row["raw_sharpe"] is not None]
    if not any(row["abstained"] for row in ranking) or not raw:
        return "None earned more than an account that never trades: there is no winner to test."
    best = max(raw, key=lambda row: row["raw_sharpe"])
    return (
        "None earned more than an account that never trades: what had no proven advantage in "
        "validation abstained. If traded all the same, the best of them in hindsight, "
        f"{best['name']}, would have had a Sharpe ratio of "
        f"{sharpe_with_interval(sharpe_of(best, 'raw'))} a year after all costs."
    )


def _luck(world: dict[str, Any]) -> list[str]:
    deflated = world["deflated_sharpe"]["best"]
    if deflated is None:
        return []
    counts, found = world["trials"], deflated["at_least"]
    if found["trials"] <= 1:
        return [
            "With one try nothing was selected: the probability that its true Sharpe ratio is "
            f"above zero is {percent(found['probability'])}."
        ]
    why = "looks" if counts["looks"] > counts["raw"] else "tries"
    return [
        f"Out of {found['trials']:.0f} {why} without any skill a best Sharpe ratio of "
        f"{number(found['expected_maximum_annual'])} is to be expected by luck; the probability "
        f"that the best is truly above that is {percent(found['probability'])} (deflated Sharpe; "
        "with correlated tries counted as fewer, "
        f"{number(deflated['effective']['trials'], 1)} instead of {counts['raw']}: "
        f"{percent(deflated['effective']['probability'])})."
    ]


def _chosen(world: dict[str, Any]) -> list[str]:
    chosen = world.get("chosen")
    if chosen is None or world["trials"]["with_series"] < 2:
        return []
    start = "Whoever had chosen before each test window, by validation scores alone, would have "
    if chosen["sharpe"] is None:
        return [start + "stayed out as well."]
    return [f"{start}had a Sharpe ratio of {sharpe_with_interval(chosen)}."]


def _overfitting(world: dict[str, Any]) -> list[str]:
    found = world["overfitting"]
    if found is None:
        if world["best"]["sharpe"] is None:
            return []  # nobody traded, which has just been said
        few = world["trials"]["with_series"] < 2
        reason = "it needs at least two configurations" if few else "there are too few test days"
        return [f"The probability of overfitting cannot be computed: {reason}."]
    text = (
        f"Picking the winner on one half of the days puts it into the lower half on the other in "
        f"{percent(found['probability'], 0)} of {found['splits']:,} splits (PBO)"
    )
    if found["degradation_slope"] is not None:
        text += f", with a degradation slope of {number(found['degradation_slope'])}"
    if found["trials"] < 10:
        text += f"; with only {found['trials']} configurations that is a coarse measure"
    return [text + "."]


def deflated_line(world: dict[str, Any]) -> str:
    """The deflated Sharpe explained in one line."""
    deflated = world.get("deflated_sharpe", {}).get("best")
    if deflated is None:
        return "Deflated Sharpe: none, since there is no series to deflate."
    found = deflated["at_least"]
    return (
        f"Deflated Sharpe {percent(found['probability'])}: the probability that the best's true "
        f"Sharpe ratio exceeds {number(found['expected_maximum_annual'])}, what the best of "
        f"{found['trials']:.0f} tries without skill would show; above 95 % is hard to put down to "
        "luck."
    )


def count_words(world: dict[str, Any]) -> str:
    """How the number of tries was counted."""
    counts = world["trials"]
    effective = NOTHING if counts["effective"] is None else number(counts["effective"], 1)
    return (
        f"{counts['raw']} configurations ({effective} when correlated ones count as fewer, "
        f"{counts['effective_method']}); {counts['looks']} looks at these days; the larger counts"
    )


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
