// One agent: its session as it goes, and how each day before went.

import { html, useState } from "./vendor/htm-preact.js";
import { AgentActs } from "./agent_acts.js";
import { download } from "./api.js";
import { Alarms, Copied, Problem, Table, useAnswer, useNow, Waiting } from "./parts.js";
import { bps, journalLine, netBps, stateOf, statusOf } from "./session_words.js";
import { alarmsOf, LastBar, Mark, News, POLL_SECONDS, Risk, State } from "./sessions.js";
import { cents, inNewYork, NOTHING, number, plain } from "./words.js";

const DAYS_SECONDS = 30;

export function Agent({ name }) {
  const path = `api/agents/${encodeURIComponent(name)}`;
  const { content: agent, problem, at, again } = useAnswer(path, POLL_SECONDS);
  const waited = Math.max(0, useNow() - (at ?? 0));
  return html`<h1 tabindex="-1">Agent ${name}</h1>
    <p><a href="#/sessions">back to all agents</a> · times are New York's</p>
    <${Problem} text=${problem && agent ? `${problem} What stands below is the last that was heard.` : problem} />
    ${!agent && !problem && html`<${Waiting} what="asking for the agent…" />`}
    ${agent && html`
      <${Alarms} lines=${alarmsOf(agent)} />
      <p role="status"><${Mark} ...${statusOf(agent)} /> ${statusOf(agent).meaning}${agent.once && agent.status === "running" ? " Only the session that comes next." : ""}</p>
      <div class="actions"><${AgentActs} agent=${agent} again=${again} /></div>
      <div class=${problem ? "stale" : ""}>
        ${agent.session
          ? html`<${Session} agent=${agent} path=${path} waited=${waited} />`
          : html`<h2>Session</h2><p class="empty"><${State} agent=${agent} /></p>`}
      </div>
      <${Days} name=${name} path=${path} />
      <h2>What it is</h2>
      <dl class="facts">
        <dt>made</dt><dd>${inNewYork(agent.created_at, true)}</dd>
        <dt>told to play</dt><dd>${inNewYork(agent.started_at, true)}</dd>
        <dt>when its process dies</dt><dd>${agent.auto_restart ? "it is begun again and goes on" : "it is begun again only to close"}${agent.restarts ? `; ${agent.restarts} times so far` : ""}</dd>
      </dl>
      <${Copied} label="Command line of its sessions, without name and day" text=${agent.command} />
      <${Copied} label="Payload" text=${JSON.stringify(agent.payload, null, 2)} wide />`}`;
}

function Session({ agent, path, waited }) {
  const { session } = agent;
  const { content, problem } = useAnswer(`${path}/sessions/${session.day}`, agent.at_work ? POLL_SECONDS : null);
  return html`<h2>Session of ${session.day}</h2>
    <${Alarms} lines=${content?.alarms} />
    <dl class="facts">
      <dt>state</dt><dd><${Mark} ...${stateOf(session.state)} /> ${stateOf(session.state).meaning}</dd>
      <dt>heard</dt><dd><${News} agent=${agent} waited=${waited} /></dd>
      <dt>position</dt><dd>${number(session.position, 0)} shares at ${plain(session.broker)}</dd>
      <dt>equity</dt><dd><strong>${cents(session.equity)}</strong>, ${bps(netBps(session))} since it began with ${cents(session.equity_before)}</dd>
      <dt>risk</dt><dd><${Risk} session=${session} /></dd>
      <dt>last bar</dt><dd><${LastBar} agent=${agent} /></dd>
      <dt>flat by</dt><dd>${inNewYork(session.cutoff)}</dd>
      <dt>decisions</dt><dd>${session.decisions}, and ${session.skipped} ${session.skipped === 1 ? "bar" : "bars"} skipped</dd>
    </dl>
    <${Orders} orders=${session.orders} />
    <${Problem} text=${problem} />
    <${Journal} lines=${content?.journal} />`;
}

const Orders = ({ orders }) => html`<${Table} caption="Orders of the day, the newest first" rows=${[...orders].reverse()}
  keyOf=${(order) => order.client_id} empty="No order has been sent."
  columns=${[
    ["sent", (order) => inNewYork(order.time)],
    ["for", (order) => order.purpose],
    ["shares", (order) => number(order.shares, 0), "number"],
    ["state", (order) => html`${plain(order.state)}${order.reason && html`<br />${order.reason}`}`],
    ["filled", (order) => number(order.filled, 0), "number"],
    ["price", (order) => number(order.average_price, 4), "number"],
    ["id", (order) => order.client_id],
  ]} />`;

export const Journal = ({ lines }) => html`<h2>Journal</h2>
  ${!lines?.length && html`<p class="empty">${lines ? "Nothing has been written." : "Nothing has been read yet."}</p>`}
  ${lines?.length > 0 && html`<pre class="log" tabindex="0" aria-label="Journal, the newest line first">${[...lines].reverse().map(journalLine).join("\n")}</pre>`}`;

function Days({ name, path }) {
  const { content, problem } = useAnswer(`${path}/sessions`, DAYS_SECONDS);
  return html`<h2>Days</h2>
    <${Problem} text=${problem} />
    ${content && html`<${Table} caption="Net of all costs. One day proves nothing: no interval can be given for it."
      rows=${content.sessions} keyOf=${(one) => one.day} empty="It has played no session yet."
      columns=${[
        ["day", (one) => html`<a href=${`#/sessions/${encodeURIComponent(name)}/${one.day}`}>${one.day}</a>`],
        ["net", (one) => (one.closed ? bps(one.net_return_bps) : "not closed"), "number"],
        ["equity after", (one) => cents(one.equity_after), "number"],
        ["flat", (one) => exitOf(one)],
        ["orders", (one) => one.orders ?? NOTHING, "number"],
        ["skipped", (one) => one.skipped ?? NOTHING, "number"],
        ["alarms", (one) => (one.alarms.length ? html`<${Mark} tone="bad" text=${`${one.alarms.length}`} meaning=${one.alarms.join("; ")} />` : "none")],
        ["report", (one) => html`<${Report} name=${name} day=${one} />`],
      ]} />`}`;
}

export const exitOf = (one) => (one.closed ? `${inNewYork(one.exit_at)} (${plain(one.exit_reason)})` : NOTHING);

// Saved, as the page may open nothing that the server did not send as a file of the page.
export function Report({ name, day: { day, has_report: there } }) {
  const [problem, setProblem] = useState(null);
  const save = () => download(`api/agents/${encodeURIComponent(name)}/sessions/${day}/report`, `session-${name}-${day}.html`)
    .then(() => setProblem(null), (error) => setProblem(error.message));
  return there
    ? html`<button type="button" class="small secondary" aria-label=${`Save the report of ${day}`} onClick=${save}>Save</button><${Problem} text=${problem} />`
    : NOTHING;
}
