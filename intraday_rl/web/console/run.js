// One run: verdict, what must be known first, numbers with intervals, equity, costs, where to look on.

import { html, useMemo, useState } from "./vendor/htm-preact.js";
import { download } from "./api.js";
import { Chart } from "./chart.js";
import { CostSplit } from "./costs.js";
import { Gate } from "./gate.js";
import { Badge, Copied, Notes, Problem, Table, useAnswer, Waiting } from "./parts.js";
import { findingOf } from "./runs.js";
import { basisPoints, caveats, gateSaid, isAgainstTheGate, meaningOf, NOTHING, number, percent, plain, sharpe, withInterval } from "./words.js";

const SERIES = [["as_traded", "as traded"], ["hold", "hold, open to cutoff"], ["overnight", "overnight, no costs"], ["raw", "if traded (raw)"]];

export function Run({ id }) {
  const { content: run, problem } = useAnswer(`api/runs/${encodeURIComponent(id)}`, 10);
  return html`<h1 tabindex="-1">Run ${id}</h1>
    <${Problem} text=${problem} />
    ${!run && !problem && html`<${Waiting} what="reading the run…" />`}
    ${run && html`
      <p class="verdict"><${Verdict} run=${run} /></p>
      <${Notes} lines=${caveats(run)} />
      <p>${plain(run.kind)} of ${run.symbol}, agent ${run.agent}, reward ${run.reward ?? NOTHING}${run.windows ? `, windows ${run.windows}` : ""}${run.facts.seeds_planned ? `, seeds ${run.facts.seeds_planned.join(", ")}` : ""}</p>
      <${Links} run=${run} />
      ${run.fine_tune && html`<${Gate} tuned=${run.fine_tune} />`}
      ${run.folds.length > 0 && html`<${Results} run=${run} />`}
      ${Object.keys(run.fits).length > 0 && findingOf(run) !== run.verdict && html`<${Places} run=${run} />`}
      ${run.facts.data_notes && html`<h2>Bars</h2><ul>${run.facts.data_notes.map((line) => html`<li key=${line}>${line}</li>`)}</ul>`}
      <${Copied} label="Command line" text=${run.command} />
      <details><summary>Resolved configuration</summary><${Copied} label="plan.yaml" text=${run.plan} wide /></details>`}`;
}

function Verdict({ run }) {
  const reason = run.fine_tune?.gate.reason;
  const meaning = meaningOf(run.verdict) || `No verdict: the run is ${run.state}.`;
  return html`<${Badge} finding=${findingOf(run)} tone=${isAgainstTheGate(reason) ? "warn" : undefined} /> ${meaning} ${gateSaid(reason)}`;
}

function Results({ run }) {
  const { dates, ...series } = run.equity;
  const curves = useMemo(() => curvesOf(dates, series), [run]);
  const { as_traded: traded, hold } = run.metrics;
  const lead = run.against_hold_daily;
  return html`
    <${Table} caption="Test days, net of all costs. Sharpe: annualised, with its 95 % interval; return and fall are realised."
      rows=${[["as traded", traded], ["hold, open to cutoff", hold]]} keyOf=${([name]) => name} empty=""
      columns=${[
        ["series", ([name]) => name],
        ["Sharpe [95 %]", ([, one]) => sharpe(one), "number"],
        ["return", ([, one]) => percent(one.total_return), "number"],
        ["deepest fall", ([, one]) => percent(one.max_drawdown), "number"],
      ]} />
    <p>Lead over holding, in bp a day [${lead ? percent(lead.confidence, 0) : NOTHING}]: <strong>${withInterval(lead?.estimate, lead?.low, lead?.high, basisPoints)}</strong>
      <small class="help"> paired on the same days; ${lead?.method}</small></p>
    <${Chart} label="What one dollar becomes on the test days" curves=${curves} />
    <${Table} caption="Windows" rows=${run.folds} keyOf=${(fold) => fold.window} empty=""
      columns=${[
        ["verdict", (fold) => html`<${Badge} finding=${fold.verdict} />`],
        ["test", (fold) => fold.window],
        ["Sharpe [95 %]", sharpe, "number"],
        ["return", (fold) => percent(fold.total_return), "number"],
        ["validation score", (fold) => number(fold.validation_score), "number"],
        ["gates", (fold) => gatesOf(fold)],
      ]} />
    <${CostSplit} runs=${[run]} />`;
}

export function curvesOf(dates, series) {
  const differs = JSON.stringify(series.raw) !== JSON.stringify(series.as_traded);
  return SERIES.filter(([name]) => series[name]?.length && (name !== "raw" || differs))
    .map(([name, label]) => ({ label, dates, values: series[name] }));
}

const gatesOf = ({ gates }) => Object.entries(gates ?? {}).map(([name, gate]) => `${plain(name)} ${gate.passed ? "passed" : "failed"}`).join(", ") || "none set";

const Places = ({ run }) => html`<${Table} caption="How its fits stand" rows=${Object.entries(run.fits)} keyOf=${([place]) => place} empty=""
  columns=${[["fit", ([place]) => place], ["state", ([, one]) => one.state], ["", ([, one]) => one.reason]]} />`;

function Links({ run }) {
  const [problem, setProblem] = useState(null);
  const save = () => download(`api/runs/${encodeURIComponent(run.key)}/report`, `report-${run.key}.html`).then(() => setProblem(null), (error) => setProblem(error.message));
  const { mlflow } = run;
  return html`<div class="actions">
      ${run.has_report && html`<button type="button" class="secondary" onClick=${save}>Save the report</button>`}
      ${mlflow?.address && html`<a class="button secondary" href=${mlflow.address} target="_blank" rel="noreferrer">Open in MLflow</a>`}
    </div>
    <${Problem} text=${problem} />
    ${mlflow?.command && html`<details><summary>In MLflow</summary>
      <p>The store is a file. Start its page on this machine, then open <a href=${mlflow.local_address} target="_blank" rel="noreferrer">this run there</a>.</p>
      <${Copied} label="Command line" text=${mlflow.command} />
    </details>`}`;
}
