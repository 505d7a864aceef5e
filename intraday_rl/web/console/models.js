// Models: versions with their lineage, the champion, promote and back.

import { html, useState } from "./vendor/htm-preact.js";
import { ask, newKey } from "./api.js";
import { Badge, Dialog, Notes, Problem, Table, useAnswer, Waiting } from "./parts.js";
import { gateSaid, isAgainstTheGate, moment, NOTHING, number, plain } from "./words.js";

const CHAMPION = "champion";

export function Models() {
  const { content, problem } = useAnswer("api/models", 10);
  const [moved, setMoved] = useState(null);
  return html`<h1 tabindex="-1">Models</h1>
    <${Problem} text=${problem} />
    ${!content && !problem && html`<${Waiting} what="reading the models…" />`}
    ${content?.models.length === 0 && html`<p class="empty">No model is registered yet. A finished run of a learning agent registers what it trained.</p>`}
    ${content?.models.map((model) => html`<${Model} key=${model.name} model=${model} onMove=${setMoved} />`)}
    ${moved && html`<${Promotion} key=${moved.spec} ...${moved} onClose=${() => setMoved(null)} />`}`;
}

function Model({ model, onMove }) {
  const { name, champion, versions, alias_changes: changes } = model;
  const newest = versions[0];
  const former = versions.find((version) => version.number === formerOf(changes, champion) && mayTrade(version));
  return html`<section class="model" aria-label=${name}>
    <h2>${name}</h2>
    <${Notes} lines=${[
      ...(newest.synthetic === "true" ? ["Trained on synthetic bars: it says nothing about a real market."] : []),
      ...(newest.reconstructed === "true" ? ["Trained on reconstructed bars: these prices were computed, not traded."] : []),
    ]} />
    <p>${champion ? `Champion: version ${champion}.` : "No version is champion."}
      ${former && html` <button type="button" class="small secondary" onClick=${() => onMove({ spec: former.spec, title: `Back to version ${former.number}?`, reason: `back from version ${champion}` })}>Roll back to version ${former.number}</button>`}</p>
    <${Table} caption="Versions, the newest first. Validation score: annualised Sharpe on the days that chose it, an estimate without an interval."
      rows=${versions} keyOf=${(version) => version.number} empty="It has no version."
      columns=${[
        ["version", (version) => html`<strong>${version.number}</strong> ${version.aliases.map((alias) => html`<span class="badge good" key=${alias}>${alias}</span>`)}${version.abstained === "true" && html`<${Badge} finding="abstained" />`}`],
        ["lineage", (version) => html`<${Lineage} version=${version} />`],
        ["gate", (version) => html`<${Outcome} version=${version} />`],
        ["trained to", (version) => version.train_end ?? NOTHING],
        ["validation score", (version) => number(Number(version.validation_score ?? NaN)), "number"],
        ["expires", (version) => moment(version.expires_at)],
        ["", (version) => html`<${Acts} ...${{ version, champion, onMove }} />`],
      ]} />
    ${changes.length > 0 && html`<details><summary>${changes.length} alias ${changes.length === 1 ? "change" : "changes"}</summary>
      <ul>${changes.map((one) => html`<li key=${one.when}>${moment(one.when)}: ${one.alias} from ${one.before ?? "none"} to version ${one.version}: ${one.reason}</li>`)}</ul>
    </details>`}
  </section>`;
}

// The champion before the one in office: what was rolled back is not offered again.
export function formerOf(changes, champion) {
  const line = [];
  for (const { alias, version, before } of [...changes].reverse()) {
    if (alias !== CHAMPION) continue;
    if (line.length === 0 && before !== null) line.push(before);
    const at = line.indexOf(version);
    if (at < 0) line.push(version);
    else line.length = at + 1;
  }
  return line.at(-1) === champion ? line.at(-2) : undefined;
}

const mayTrade = (version) => version.abstained !== "true" && version.outcome !== "pending";

function Outcome({ version: { outcome, gate } }) {
  if (!outcome) return NOTHING;
  return html`<${Badge} finding=${outcome} tone=${isAgainstTheGate(gate) ? "warn" : undefined} />
    <br /><small class="help">${gateSaid(gate)}</small>`;
}

const Lineage = ({ version }) => html`<span>${plain(version.kind)}${parentOf(version)}, ${version.window}, seed ${version.seed}
  <br /><a href=${`#/runs/${version.run_key}`}>run ${version.run_key}</a></span>`;

function parentOf({ parent }) {
  if (!parent) return "";
  const registered = /^([^/]+):(\d+)$/.exec(parent);
  return registered ? ` of version ${registered[2]}` : " of a bundle that is not registered";
}

function Acts({ version, champion, onMove }) {
  const abstained = version.abstained === "true";
  const note = version.outcome === "kept" ? gateSaid(version.gate) : "";
  const title = abstained ? "It abstained: its validation showed no advantage, so it may not trade." : undefined;
  return html`<span class="acts">
    ${version.outcome !== "pending" && html`<a class="button small secondary" href=${`#/fine-tune/${encodeURIComponent(version.spec)}`} aria-label=${`Fine-tune version ${version.number}`}>Fine-tune</a>`}
    ${version.number !== champion && version.outcome !== "pending" && html`<button type="button" class="small secondary" disabled=${abstained} title=${title}
      aria-label=${`Promote version ${version.number}`}
      onClick=${() => onMove({ spec: version.spec, title: `Promote version ${version.number}?`, reason: "", note })}>Promote</button>`}
    ${abstained && html`<small class="help">abstained: may not be promoted</small>`}
  </span>`;
}

function Promotion({ spec, title, reason: given, note, onClose }) {
  const [typed, setTyped] = useState({ alias: CHAMPION, reason: given });
  const [state, setState] = useState({ busy: false, problem: null });
  const [key] = useState(newKey);
  const send = async (event, close) => {
    event.preventDefault();
    setState({ busy: true, problem: null });
    const payload = { model: spec, alias: typed.alias, ...(typed.reason ? { reason: typed.reason } : {}) };
    try {
      const { job_id: id } = await ask("api/models/promote", { payload, key });
      close();
      location.hash = `#/jobs/${id}`;
    } catch (error) {
      setState({ busy: false, problem: error.message });
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${(close) => html`<form onSubmit=${(event) => send(event, close)}>
      <p>The alias will name <strong>${spec}</strong>. Whoever asks for the alias gets this version from then on.</p>
      <${Notes} lines=${note ? [note] : []} />
      <label>Alias <input required value=${typed.alias} onInput=${(event) => setTyped({ ...typed, alias: event.target.value })} /></label>
      <label>Reason <input value=${typed.reason} maxlength="200" onInput=${(event) => setTyped({ ...typed, reason: event.target.value })} /></label>
      <${Problem} text=${state.problem} />
      <footer>
        <button type="button" class="secondary" onClick=${close}>No, go back</button>
        <button type="submit" disabled=${state.busy} aria-busy=${state.busy}>Move the alias</button>
      </footer>
    </form>`}
  <//>`;
}
