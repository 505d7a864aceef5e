// What an agent can be told, and the stop of everything; whatever cannot be taken back asks once.

import { html, useState } from "./vendor/htm-preact.js";
import { ask } from "./api.js";
import { Confirmed, Problem } from "./parts.js";

const FLAT = "Open orders are cancelled and the position is closed at once; nothing is opened any more.";
const REASON = "asked for on the page";

// `agent`: as the server tells it; `again`: asks anew, so that the change is seen at once.
export function AgentActs({ agent, again }) {
  const [problem, setProblem] = useState(null);
  const [asking, setAsking] = useState(null);
  const path = `api/agents/${encodeURIComponent(agent.name)}`;
  const send = (act) => act().then(() => setProblem(null)).then(again);
  const tell = (what) => send(() => ask(`${path}/${what}`, { payload: {} })).catch((error) => setProblem(error.message));
  const stop = () => (agent.at_work ? setAsking("stop") : tell("stop"));
  const runs = agent.status === "running";
  const button = (label, act, kind = "secondary", off = false) => html`
    <button type="button" class=${`small ${kind}`} disabled=${off} aria-label=${`${label}: ${agent.name}`} onClick=${act}>${label}</button>`;
  return html`<span class="acts">
    ${!runs && button("Start", () => tell("start"), "")}
    ${!runs && button("Run once", () => tell("run-once"))}
    ${runs && button("Stop", stop)}
    ${button("Emergency stop", () => setAsking("emergency"), "danger")}
    ${button("Remove", () => setAsking("remove"), "secondary", runs || agent.at_work)}
    <${Problem} text=${problem} />
    ${asking === "emergency" && html`<${EmergencyStop} name=${agent.name} again=${again} onClose=${() => setAsking(null)} />`}
    ${asking === "stop" && html`<${Confirmed} title=${`Stop ${agent.name}?`} action="Stop it" onClose=${() => setAsking(null)}
      text=${`Its session ends now. ${FLAT} It plays no further session until it is started again.`}
      onDo=${() => send(() => ask(`${path}/stop`, { payload: {} }))} />`}
    ${asking === "remove" && html`<${Confirmed} title=${`Remove ${agent.name}?`} action="Remove it" onClose=${() => setAsking(null)}
      text="It is forgotten here. The journals and results of its sessions stay; an agent of the same name would go on with its account."
      onDo=${() => ask(path, { method: "DELETE" }).then(again)} />`}
  </span>`;
}

// `name` null: of everything.
export function EmergencyStop({ name, again, onClose }) {
  const whose = name === null ? "Every session, of every agent and of every shell," : `The session of ${name}`;
  const whom = name === null ? "Every agent stays" : "The agent stays";
  const send = () => ask("api/emergency-stop", { payload: { agent: name, reason: REASON } }).then(again);
  return html`<${Confirmed} danger title=${name === null ? "Stop everything?" : `Emergency stop of ${name}?`}
    text=${`${whose} is flattened, then halted. ${FLAT} ${whom} halted until started again.`}
    action=${name === null ? "Flatten and halt everything" : "Flatten and halt"} onDo=${send} onClose=${onClose} />`;
}
