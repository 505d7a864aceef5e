// What came of a fine-tune: the gate's decision with its intervals, and the registry.

import { html } from "./vendor/htm-preact.js";
import { Table } from "./parts.js";
import { count, gateSaid, number, plain, withInterval } from "./words.js";

const one = (value) => number(value, 1);

export function Gate({ tuned }) {
  const { gate, parent, registry, tuning, held_out: heldOut, options, checks } = tuned;
  const failed = checks.filter((check) => !check.passed);
  return html`<section class="gate" aria-label="Gate">
    <h2>Gate: ${gate.passed ? "passed" : "not passed"}, ${gate.promoted ? "promoted" : "not promoted"}</h2>
    <p>${gateSaid(gate.reason)} Reason: <strong>${plain(gate.reason)}</strong>${gate.finding === gate.reason ? "" : `; the comparison alone found: ${plain(gate.finding)}`}.
      The margin is ${number(gate.margin_bps_per_day, 1)} bp a day; ${count(gate.trades)} round trips on the held-out days.</p>
    <${Table} caption="Tuned model minus opponent on the held-out sessions, net, in bp a day with its 90 % interval"
      rows=${gate.comparisons} keyOf=${(row) => row.opponent} empty="Nothing was compared."
      columns=${[
        ["opponent", (row) => row.opponent],
        ["sessions", (row) => count(row.sessions), "number"],
        ["difference [90 %]", (row) => withInterval(row.mean_bps, row.low_bps, row.high_bps, one), "number"],
        ["method", (row) => row.method],
      ]} />
    <dl class="facts">
      <dt>parent</dt><dd>${parent.name ? html`<a href="#/models">${parent.name} version ${parent.version}</a>` : "not registered"}${parent.run_key && html`, <a href=${`#/runs/${parent.run_key}`}>run ${parent.run_key}</a>`}, has seen days to ${parent.last_seen}</dd>
      <dt>tuned on</dt><dd>${tuning.first_session} – ${tuning.last_session}, ${count(tuning.sessions)} sessions, ${count(options.timesteps)} decisions of training</dd>
      <dt>held out</dt><dd>${heldOut.first_session} – ${heldOut.last_session}, ${count(heldOut.sessions)} sessions</dd>
      <dt>registered</dt><dd>${registry.version ? `${registry.name} version ${registry.version}; ${registry.alias} ${registry.alias_moved ? "moved to it" : "was not moved"}` : registry.not_registered}</dd>
      <dt>checks</dt><dd>${failed.length ? failed.map((check) => `${check.name}: ${check.detail}`).join("; ") : `all ${checks.length} passed`}</dd>
    </dl>
  </section>`;
}
