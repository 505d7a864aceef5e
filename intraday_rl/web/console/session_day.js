// One day of an agent: what it came to, how it got flat, what it did.

import { html } from "./vendor/htm-preact.js";
import { exitOf, Journal, Report } from "./agent.js";
import { Alarms, Notes, Problem, Table, useAnswer, Waiting } from "./parts.js";
import { bps } from "./session_words.js";
import { cents, duration, inNewYork, NOTHING, number, plain } from "./words.js";

export function Day({ agent, day }) {
  const path = `api/agents/${encodeURIComponent(agent)}/sessions/${encodeURIComponent(day)}`;
  const { content, problem } = useAnswer(path);
  return html`<h1 tabindex="-1">${agent}, ${day}</h1>
    <p><a href=${`#/sessions/${encodeURIComponent(agent)}`}>back to the agent</a> · times are New York's</p>
    <${Problem} text=${problem} />
    ${!content && !problem && html`<${Waiting} what="reading the session…" />`}
    ${content && html`
      <${Alarms} lines=${content.alarms} />
      ${content.result ? html`<${Result} day=${content} name=${agent} />` : html`<p class="empty">It is not closed: there is no result yet.</p>`}
      <${Journal} lines=${content.journal} />`}`;
}

function Result({ day, name }) {
  const { result } = day;
  const { exit, slippage, costs_usd: costs = {} } = result;
  return html`
    <${Notes} lines=${[...caveats(result), ...(result.findings ?? [])]} />
    <dl class="facts">
      <dt>net of all costs</dt><dd><strong>${bps(day.net_return_bps)}</strong>, ${cents(day.equity_before)} to ${cents(day.equity_after)}. One day proves nothing: no interval can be given for it.</dd>
      <dt>flat</dt><dd>${exitOf(day)}, due ${inNewYork(exit?.due)}${lateBy(exit)}</dd>
      <dt>orders</dt><dd>${counts(result.orders)}</dd>
      <dt>skipped bars</dt><dd>${counts(result.skipped) || "none"}</dd>
      <dt>slippage</dt><dd>${number(slippage?.realised_bps)} bp of what was traded, the model's own would be ${number(slippage?.model_bps)} bp</dd>
      <dt>costs</dt><dd>${Object.entries(costs).map(([kind, usd]) => `${plain(kind)} ${cents(usd)}`).join(", ") || NOTHING}</dd>
      <dt>report</dt><dd><${Report} name=${name} day=${day} /></dd>
    </dl>
    <${Table} caption="How freely it might trade" rows=${result.risk ?? []} empty="Its risk state never changed."
      columns=${[
        ["from", (one) => inNewYork(one.time)],
        ["state", (one) => one.state],
        ["reason", (one) => (one.reason ? plain(one.reason) : NOTHING)],
      ]} />`;
}

function caveats(result) {
  return [
    ...(result.synthetic ? ["Synthetic bars: the prices of no market."] : []),
    ...(result.reconstructed ? ["Reconstructed bars: these prices were computed, not traded."] : []),
    ...(result.in_sample ? ["In sample: the model was trained or chosen on this day; nothing is proven."] : []),
    ...(result.abstained ? ["This model abstained: its validation showed no advantage."] : []),
  ];
}

const counts = (found) => Object.entries(found ?? {}).filter(([, count]) => count).map(([what, count]) => `${count} ${plain(what)}`).join(", ");
const lateBy = (exit) => (exit?.seconds_after_due > 0 ? `, ${duration(exit.seconds_after_due)} late` : "");
