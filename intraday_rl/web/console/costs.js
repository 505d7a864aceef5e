// What the costs took, side by side: one row a kind, one column a run.

import { html } from "./vendor/htm-preact.js";
import { Table } from "./parts.js";
import { dollars, NOTHING, number } from "./words.js";

const KINDS = ["commission", "fees", "slippage", "impact", "financing"];

export function CostSplit({ runs, labels = [] }) {
  const known = runs.filter((run) => run.cost_split);
  if (!known.length) return html`<p class="empty">No costs: no test window is finished.</p>`;
  const widest = Math.max(...known.flatMap((run) => KINDS.map((kind) => run.cost_split.bps_of_turnover[kind] ?? 0)), 1e-9);
  const column = (run, index) => [
    labels[index] ?? "raw policy",
    (kind) => html`<${Cell} split=${run.cost_split} kind=${kind} widest=${widest} />`,
    "cost",
  ];
  return html`<${Table} caption="Costs of the raw policy over all test windows and seeds: bp of what was traded (US dollars)"
    rows=${[...KINDS, "total"]} keyOf=${(kind) => kind} empty=""
    columns=${[["cost", (kind) => kind], ...runs.map(column)]} />`;
}

function Cell({ split, kind, widest }) {
  const bps = split?.bps_of_turnover[kind];
  if (bps === null || bps === undefined) return NOTHING;
  return html`${kind !== "total" && html`<span class="bar" aria-hidden="true" style=${{ width: `${(100 * bps) / widest}%` }}></span>`}
    <span>${number(bps)} bp (${dollars(split.usd[kind])})</span>`;
}
