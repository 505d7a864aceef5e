// Up to four runs side by side: verdicts, intervals, equity, costs, and the words that differ.

import { html, useEffect, useMemo, useState } from "./vendor/htm-preact.js";
import { ask } from "./api.js";
import { Chart } from "./chart.js";
import { CostSplit } from "./costs.js";
import { Badge, Notes, Problem, Table, Waiting } from "./parts.js";
import { findingOf, MOST_COMPARED } from "./runs.js";
import { basisPoints, caveats, NOTHING, percent, sharpe, withInterval } from "./words.js";
import { flat, keysThatDiffer, worldsApart } from "./worlds.js";

export function Compare({ ids }) {
  const keys = useMemo(() => ids.split(",").filter(Boolean).slice(0, MOST_COMPARED), [ids]);
  const { runs, problem } = useRuns(keys);
  const labels = keys.map((key, index) => `${"ABCD"[index]}: ${key.slice(0, 8)}`);
  const lines = useMemo(() => (runs ?? []).map((run) => flat(run.plan ?? "")), [runs]);
  const apart = useMemo(() => worldsApart(runs ?? [], lines), [runs, lines]);
  const curves = useMemo(() => curvesOf(runs ?? [], labels), [runs]);
  return html`<h1 tabindex="-1">Compare ${keys.length} runs</h1>
    <p><a href="#/runs">back to the runs</a></p>
    <${Problem} text=${problem} />
    ${!runs && !problem && html`<${Waiting} what="reading the runs…" />`}
    ${runs && html`
      ${apart.length > 0 && html`<p class="problem" role="status">These runs are of different worlds (${apart.join(", ")}): their numbers do not compare one to one.</p>`}
      <${Notes} lines=${runs.flatMap((run, index) => caveats(run).map((line) => `${"ABCD"[index]}: ${line}`))} />
      <${Table} caption="Net of all costs, on test days, as traded. Sharpe and lead with their 95 % intervals; return and fall are realised."
        rows=${ROWS} keyOf=${([name]) => name} empty=""
        columns=${[["", ([name]) => name], ...runs.map((run, index) => [labels[index], ([, cell]) => cell(run)])]} />
      ${curves.length > 0 && html`<${Chart} label="What one dollar becomes on the test days, as traded" curves=${curves} />`}
      <${CostSplit} runs=${runs} labels=${labels} />
      <${Differences} lines=${lines} labels=${labels} />`}`;
}

const ROWS = [
  ["verdict", (run) => html`<${Badge} finding=${findingOf(run)} />`],
  ["run", (run) => html`<a href=${`#/runs/${run.key}`}>${run.key}</a>`],
  ["agent, reward", (run) => `${run.agent}, ${run.reward ?? NOTHING}`],
  ["Sharpe", (run) => sharpe(run.metrics.as_traded)],
  ["Sharpe of holding", (run) => sharpe(run.metrics.hold)],
  ["lead, bp a day", (run) => withInterval(run.against_hold_daily?.estimate, run.against_hold_daily?.low, run.against_hold_daily?.high, basisPoints)],
  ["return", (run) => percent(run.metrics.as_traded.total_return)],
  ["deepest fall", (run) => percent(run.metrics.as_traded.max_drawdown)],
  ["test sessions", (run) => `${run.sessions}${run.sessions ? `, ${run.equity.dates[0]} to ${run.equity.dates.at(-1)}` : ""}`],
];

function curvesOf(runs, labels) {
  return runs.map((run, index) => ({ label: labels[index], dates: run.equity.dates, values: run.equity.as_traded ?? [] }))
    .filter((curve) => curve.values.length > 0);
}

// Lines of the resolved configurations that not all runs have.
function Differences({ lines, labels }) {
  return html`<${Table} caption="Settings that differ" rows=${keysThatDiffer(lines)} keyOf=${(key) => key} empty="No setting differs."
    columns=${[["setting", (key) => key], ...lines.map((one, index) => [labels[index], (key) => one.get(key) ?? NOTHING])]} />`;
}

function useRuns(keys) {
  const [found, setFound] = useState({ runs: null, problem: null });
  useEffect(() => {
    const ended = new AbortController();
    setFound({ runs: null, problem: null });
    Promise.all(keys.map((key) => ask(`api/runs/${encodeURIComponent(key)}`, { signal: ended.signal })))
      .then((runs) => setFound({ runs, problem: null }))
      .catch((error) => ended.signal.aborted || setFound({ runs: null, problem: error.message }));
    return () => ended.abort();
  }, [keys]);
  return found;
}
