// What a dry run says: windows with their coverage, or the checks and plan of a fine-tune.

import { html, useEffect, useRef } from "./vendor/htm-preact.js";
import { Notes, Problem, Table } from "./parts.js";
import { count, NOTHING, percent } from "./words.js";

export function Preview({ answer }) {
  const { result, error, passed } = answer;
  const heading = useRef(null);
  useEffect(() => heading.current.focus(), [answer]); // it lies below a long form
  return html`<h2 tabindex="-1" ref=${heading}>Dry run</h2>
    <p role="status">${passed ? "Nothing was trained, nothing was written; this is what would be done." : "It would be refused; nothing was trained, nothing was written."}</p>
    <${Problem} text=${error} />
    ${result?.windows && html`<${Windows} windows=${result.windows} />`}
    ${result?.checks && html`<${FineTune} result=${result} />`}
    <${Notes} lines=${result?.notes} />`;
}

const span = (one) => (one ? `${one.first_session ?? one.start} – ${one.last_session ?? one.end} (${count(one.sessions)})` : "none");
const each = (window, write) => ["train", "validation", "test"].map((name) => {
  const found = window.coverage[name];
  return found ? write(found) : NOTHING;
}).join(" / ");

const Windows = ({ windows }) => html`<${Table}
  caption="Windows: first and last session (number of sessions); coverage of train / validation / test"
  empty="No window fits the bars."
  rows=${windows}
  keyOf=${(window) => window.name}
  columns=${[
    ["window", (window) => `${window.name}${window.clipped ? " (clipped)" : ""}`],
    ["train", (window) => span(window.train)],
    ["fit to", (window) => window.fit_last_session],
    ["validation", (window) => span(window.validation)],
    ["test", (window) => span(window.test)],
    ["sessions found", (window) => each(window, (one) => `${count(one.sessions_found)} of ${count(one.sessions_expected)}`)],
    ["missing bars", (window) => each(window, (one) => count(one.bars_missing))],
    ["open = close before", (window) => each(window, (one) => percent(one.equal_open_share, 0))],
  ]} />`;

function FineTune({ result }) {
  const { parent, planned, tuning, held_out: heldOut, coverage, checks } = result;
  return html`
    ${planned && html`<dl class="facts">
      <dt>parent</dt><dd>${parent.name ? `${parent.name} version ${parent.version}` : "not registered"}, fold ${parent.fold}, seed ${parent.seed}; has seen days to ${parent.last_seen}</dd>
      <dt>tuned on</dt><dd>${span(tuning)} sessions, ${count(tuning.decisions)} decisions</dd>
      <dt>held out</dt><dd>${span(heldOut)} sessions, ${count(heldOut.decisions)} decisions: these judge</dd>
      <dt>coverage</dt><dd>${count(coverage.sessions_found)} of ${count(coverage.sessions_expected)} sessions, ${count(coverage.bars_missing)} bars missing</dd>
      <dt>training</dt><dd>${count(planned.refilled_decisions)} decisions refill the replay memory, then ${count(planned.training_decisions)} decisions with ${count(planned.updates)} updates, learning rate ${planned.learning_rate} (${planned.learning_rate_schedule})</dd>
    </dl>`}
    <${Table} caption="Checks" rows=${checks} keyOf=${(check) => check.name} empty="No check was made."
      columns=${[
        ["", (check) => html`<span class=${`badge ${check.passed ? "good" : "bad"}`}>${check.passed ? "passed" : "failed"}</span>`],
        ["check", (check) => check.name],
        ["found", (check) => check.detail],
      ]} />`;
}
