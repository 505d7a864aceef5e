// Sessions: every agent in one table, how its session stands now, and the stop of everything.

import { html, useState } from "./vendor/htm-preact.js";
import { AgentActs, EmergencyStop } from "./agent_acts.js";
import { Alarms, Problem, Table, useAnswer, useNow, Waiting } from "./parts.js";
import { bps, netBps, newsOf, riskOf, stateOf, statusOf } from "./session_words.js";
import { cents, duration, inNewYork, NOTHING, number } from "./words.js";

export const POLL_SECONDS = 2;

export function Sessions() {
  const { content, problem, at, again } = useAnswer("api/agents", POLL_SECONDS);
  const waited = Math.max(0, useNow() - (at ?? 0));
  const [stopping, setStopping] = useState(false);
  const agents = content?.agents ?? [];
  return html`<h1 tabindex="-1">Sessions</h1>
    <p>Agents play sessions by themselves, on the exchange's days. Times are New York's.</p>
    <div class="actions">
      <a class="button" href="#/new-agent">New agent</a>
      <button type="button" class="danger" onClick=${() => setStopping(true)}>Stop everything</button>
    </div>
    <${Problem} text=${problem && content ? `${problem} What stands below is the last that was heard.` : problem} />
    ${!content && !problem && html`<${Waiting} what="reading the agents…" />`}
    <${Alarms} lines=${agents.flatMap(alarmsOf)} />
    ${content && html`<div class=${problem ? "stale" : ""}>
      <${Table} caption=${saidOf(agents)} rows=${agents} keyOf=${(agent) => agent.name}
        empty="There is no agent yet. A new one needs a model, and is started when you say so."
        columns=${[
          ["agent", (agent) => html`<${Who} agent=${agent} />`],
          ["session", (agent) => html`<${State} agent=${agent} />`, "when"],
          ["position", (agent) => (agent.session ? number(agent.session.position, 0) : NOTHING), "number"],
          ["equity", (agent) => html`<${Equity} session=${agent.session} />`, "number"],
          ["orders", (agent) => html`<${Orders} session=${agent.session} />`, "number"],
          ["risk", (agent) => html`<${Risk} session=${agent.session} />`],
          ["last bar", (agent) => html`<${LastBar} agent=${agent} />`, "when"],
          ["heard", (agent) => html`<${News} agent=${agent} waited=${waited} />`],
          ["", (agent) => html`<${AgentActs} agent=${agent} again=${again} />`],
        ]} />
    </div>`}
    ${stopping && html`<${EmergencyStop} name=${null} again=${again} onClose=${() => setStopping(false)} />`}`;
}

export const Mark = ({ tone, text, meaning }) => html`<span class=${`badge ${tone}`} title=${meaning ?? ""}>${text}</span>`;

export function alarmsOf(agent) {
  const { name, error, halted_at: haltedAt, halt_reason: reason, at_work: atWork, session } = agent;
  return [
    ...(error ? [`${name}: ${error}`] : []),
    ...(haltedAt ? [`${name}: halted at ${inNewYork(haltedAt, true)} (${reason}) until it is started again`] : []),
    ...(session && !atWork && session.position ? [`${name}: ${number(session.position, 0)} shares are open, and no process is at work on them`] : []),
  ];
}

function saidOf(agents) {
  const some = (what, count) => (count ? [`${count} ${what}`] : []);
  return [
    `${agents.length} ${agents.length === 1 ? "agent" : "agents"}`,
    ...some("at work", agents.filter((one) => one.at_work).length),
    ...some("halted", agents.filter((one) => one.halted_at).length),
    ...some("failed", agents.filter((one) => one.status === "error").length),
  ].join(", ");
}

const Who = ({ agent }) => html`<a href=${`#/sessions/${encodeURIComponent(agent.name)}`}><strong>${agent.name}</strong></a>
  <br /><${Mark} ...${statusOf(agent)} />${agent.halted_at && html` <${Mark} tone="bad" text="halted" />`}`;

export function State({ agent }) {
  const { session, at_work: atWork, status } = agent;
  if (!session) return atWork ? "is being opened" : status === "running" ? "waits for the next one" : NOTHING;
  const gone = !atWork && session.state !== "closed";
  return html`<span class="whole">${session.day}</span><br />${gone ? html`<${Mark} tone="bad" text="no process" meaning="It was not closed, and no process is at work on it." />` : html`<${Mark} ...${stateOf(session.state)} />`}`;
}

const Equity = ({ session }) => (session ? html`${cents(session.equity)}<br />${bps(netBps(session))}` : NOTHING);

// Who skips every bar trades nothing, whatever its state says.
function Orders({ session }) {
  if (!session) return NOTHING;
  const { orders, skipped } = session;
  return html`${orders.length}${skipped > 0 && html`<br /><span class="whole">${skipped} skipped</span>`}`;
}

export function Risk({ session }) {
  if (!session) return NOTHING;
  const { tone, text, reason } = riskOf(session);
  return html`<${Mark} tone=${tone} text=${text} />${reason && html`<br />${reason}`}`;
}

export function LastBar({ agent: { session, at_work: atWork } }) {
  if (!session?.last_bar_end) {
    return session?.state === "trading" ? html`<${Mark} tone="warn" text="none yet" meaning="No bar of this session has come." />` : NOTHING;
  }
  return html`${inNewYork(session.last_bar_end)}${atWork && html`<br />${duration(session.last_bar_age_seconds)} old`}`;
}

export function News({ agent, waited }) {
  const { old, text } = newsOf(agent, waited);
  return old ? html`<${Mark} tone="warn" text=${text} meaning="The session has not said how it stands for a while." />` : text;
}
