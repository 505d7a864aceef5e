// Runs: every run with its verdict first; up to four are compared.

import { html, useMemo, useState } from "./vendor/htm-preact.js";
import { Badge, Problem, Table, useAnswer, Waiting } from "./parts.js";
import { percent, plain, sharpe } from "./words.js";

export const MOST_COMPARED = 4;
let kept = { words: "", verdict: "", chosen: [] }; // while other views are looked at

export function Runs() {
  const { content, problem } = useAnswer("api/runs", 10);
  const [view, setView] = useState(kept);
  kept = view;
  const change = (patch) => setView((before) => ({ ...before, ...patch }));
  const runs = content?.runs ?? [];
  const verdicts = [...new Set(runs.map(findingOf))].sort();
  const shown = useMemo(() => runs.filter((run) => fits(run, view)), [content, view]);
  const chosen = view.chosen.filter((key) => runs.some((run) => run.key === key));
  const toggle = (key) => change({ chosen: chosen.includes(key) ? chosen.filter((one) => one !== key) : [...chosen, key] });
  const full = chosen.length >= MOST_COMPARED;
  return html`<h1 tabindex="-1">Runs</h1>
    <${Problem} text=${problem} />
    ${!content && !problem && html`<${Waiting} what="reading the runs…" />`}
    ${content && html`
      <form class="filter" role="search" onSubmit=${(event) => event.preventDefault()}>
        <label>Filter <input type="search" value=${view.words} placeholder="symbol, agent, key, …" onInput=${(event) => change({ words: event.target.value })} /></label>
        <label>Verdict <select value=${view.verdict} onChange=${(event) => change({ verdict: event.target.value })}>
          <option value="" selected=${view.verdict === ""}>every one</option>
          ${verdicts.map((one) => html`<option key=${one} value=${one} selected=${one === view.verdict}>${plain(one)}</option>`)}
        </select></label>
      </form>
      <p class="compare" role="status">
        ${chosen.length < 2 ? `Mark two to ${MOST_COMPARED} runs to compare them; ${chosen.length} marked.` : html`
          <a class="button" href=${`#/compare/${chosen.join(",")}`}>Compare ${chosen.length} runs</a>`}
        ${chosen.length > 0 && html` <button type="button" class="reset" onClick=${() => change({ chosen: [] })}>unmark all</button>`}
      </p>
      <${Table} caption=${`${shown.length} of ${runs.length} runs, the newest first. Sharpe: annualised, net, on test days, as traded, with its 95 % interval. Return and fall: realised.`}
        rows=${shown} keyOf=${(run) => run.key}
        empty=${runs.length ? "No run fits the filter." : "No run has been made yet. Start one under Train."}
        columns=${[
          ["verdict", (run) => html`<${Badge} finding=${findingOf(run)} />${run.synthetic && html` <span class="badge warn">synthetic</span>`}${run.reconstructed && html` <span class="badge warn">reconstructed</span>`}`],
          ["run", (run) => html`<a href=${`#/runs/${run.key}`}>${plain(run.kind)} ${run.key}</a>`],
          ["symbol", (run) => run.symbol],
          ["agent", (run) => run.agent],
          ["reward", (run) => run.reward],
          ["Sharpe [95 %]", sharpe, "number"],
          ["return", (run) => percent(run.total_return), "number"],
          ["deepest fall", (run) => percent(run.max_drawdown), "number"],
          ["compare", (run) => html`<input type="checkbox" aria-label=${`Compare ${run.key}`} checked=${chosen.includes(run.key)}
            disabled=${full && !chosen.includes(run.key)} onChange=${() => toggle(run.key)} />`],
        ]} />`}`;
}

// A run without a verdict is shown by how it stands: running, stopped, …
export const findingOf = (run) => run.verdict ?? run.state;

function fits(run, { words, verdict }) {
  if (verdict && findingOf(run) !== verdict) return false;
  const said = [findingOf(run), run.state, run.key, run.kind, run.symbol, run.agent, run.reward, run.windows, run.synthetic ? "synthetic" : ""];
  const text = said.map(plain).join(" ").toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
