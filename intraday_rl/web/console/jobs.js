// Jobs: the queue, and one job as it goes.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { ask, follow } from "./api.js";
import { Badge, Confirmed, Copied, Problem, Table, useAnswer, Waiting } from "./parts.js";
import { count, duration, moment, NOTHING, number, percent, plain } from "./words.js";

const TONES = { done: "good", failed: "bad", running: "busy" };
const LINES = 2_000; // of the log that are kept on the page
const isOver = (job) => !["queued", "running"].includes(job.state);

export function Jobs() {
  const { content, problem } = useAnswer("api/jobs", 3);
  return html`<h1 tabindex="-1">Jobs</h1>
    <${Problem} text=${problem} />
    ${!content && !problem && html`<${Waiting} what="reading the jobs…" />`}
    ${content && html`<${Table} caption="The newest jobs" rows=${content.jobs} keyOf=${(job) => job.id}
      empty="No job has been started on this server yet."
      columns=${[
        ["state", (job) => html`<${Badge} finding=${job.state} tone=${TONES[job.state] ?? "plain"} />`],
        ["job", (job) => html`<a href=${`#/jobs/${job.id}`}>${plain(job.kind)} ${job.id.slice(0, 8)}</a>`],
        ["submitted", (job) => moment(job.submitted_at)],
        ["progress", (job) => (job.progress ? percent(job.progress.share, 0) : NOTHING), "number"],
        ["time left", (job) => duration(job.progress?.eta_seconds), "number"],
        ["result", (job) => (job.run_key ? html`<a href=${`#/runs/${job.run_key}`}>run ${job.run_key}</a>` : job.error ?? NOTHING)],
      ]} />`}`;
}

export function Job({ id }) {
  const { job, lines, problem } = useJob(id);
  const { content: asked } = useAnswer(`api/jobs/${encodeURIComponent(id)}`); // the events leave out what was asked for
  const [asking, setAsking] = useState(false);
  return html`<h1 tabindex="-1">Job ${id.slice(0, 8)}</h1>
    <${Problem} text=${problem} />
    ${!job && !problem && html`<${Waiting} what="asking for the job…" />`}
    ${job && html`
      <p role="status"><${Badge} finding=${job.state} tone=${TONES[job.state] ?? "plain"} /> ${saidOf(job)}</p>
      <${Problem} text=${job.error} />
      <${Progress} job=${job} />
      <div class="actions">
        ${isOver(job) && job.run_key && html`<a class="button" href=${`#/runs/${job.run_key}`}>${job.state === "done" ? "Open the result" : "Open the run"}</a>`}
        ${isOver(job) && job.kind === "promote" && html`<a class="button" href="#/models">See the models</a>`}
        ${!isOver(job) && html`<button type="button" class="secondary" disabled=${job.cancel_asked} onClick=${() => setAsking(true)}>
          ${job.cancel_asked ? "Ending…" : "Cancel"}</button>`}
      </div>
      <${Fits} job=${job} />
      ${asking && html`<${Confirmed} title="Cancel this job?" action="Cancel the job" onClose=${() => setAsking(false)}
        text="What has been trained stays as a checkpoint: the same command goes on from there."
        onDo=${() => ask(`api/jobs/${encodeURIComponent(id)}/cancel`, { payload: {} })} />`}
      <${Facts} job=${job} />
      <${Log} lines=${lines} />
      ${asked && html`<${Copied} label="Command line" text=${asked.command} />
        <${Copied} label="Payload" text=${JSON.stringify(asked.payload, null, 2)} wide />`}`}`;
}

function useJob(id) {
  const [seen, setSeen] = useState({ job: null, lines: [], problem: null });
  useEffect(() => {
    const ended = new AbortController();
    setSeen({ job: null, lines: [], problem: null });
    follow(`api/jobs/${encodeURIComponent(id)}/events`, (name, content) => setSeen((before) => {
      if (name === "log") return { ...before, lines: [...before.lines, ...content.lines].slice(-LINES) };
      if (name === "lost") return { ...before, problem: `${content.text} Trying again…` };
      return { ...before, job: content, problem: null };
    }), ended.signal).catch((error) => setSeen((before) => ({ ...before, problem: error.message })));
    return () => ended.abort();
  }, [id]);
  return seen;
}

function saidOf(job) {
  if (job.state === "queued") return job.due ? `waits until ${moment(job.due)}` : "waits for its turn";
  if (job.state === "running" && job.cancel_asked) return "is ending: a fit under way writes its checkpoint first";
  if (job.state === "running") {
    const left = job.progress?.eta_seconds;
    return left === null || left === undefined ? "time left is not known yet" : `about ${duration(left)} left, at the pace so far`;
  }
  return `${moment(job.ended_at)}, exit status ${job.exit_status ?? NOTHING}`;
}

function Progress({ job }) {
  if (!job.progress && isOver(job)) return null; // nothing was fitted, as by a promotion
  const share = job.progress?.share ?? 0;
  return html`<label class="progress">Progress: ${percent(share, 0)} <progress max="1" value=${share}></progress></label>`;
}

function Fits({ job }) {
  const fits = job.progress?.fits ?? [];
  return fits.length > 0 && html`<${Table} caption="Fits" rows=${fits} keyOf=${(fit) => `${fit.window} ${fit.seed}`} empty=""
      columns=${[
        ["window", (fit) => fit.window],
        ["seed", (fit) => fit.seed, "number"],
        ["decisions", (fit) => (fit.total === null ? NOTHING : `${count(fit.done)} of ${count(fit.total)}`), "number"],
        ["validation Sharpe, last look", (fit) => number(fit.validation_sharpe), "number"],
        ["state", (fit) => fit.status ?? (isOver(job) ? job.state : fit.done ? "training" : "waiting")],
    ]} />`;
}

const Facts = ({ job }) => html`<dl class="facts">
  <dt>task</dt><dd>${plain(job.kind)}</dd>
  <dt>submitted</dt><dd>${moment(job.submitted_at)}</dd>
  <dt>started</dt><dd>${moment(job.started_at)}${job.starts > 1 ? `, begun ${job.starts} times` : ""}</dd>
  ${job.cron && html`<dt>repeated</dt><dd>${job.cron} (New York time)</dd>`}
  <dt>used</dt><dd>${duration(job.cpu_seconds)} of processor time, at most ${number(job.peak_memory_bytes / 2 ** 30)} GiB of memory</dd>
</dl>`;

function Log({ lines }) {
  const box = useRef(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  const scrolled = ({ target }) => {
    atEnd.current = target.scrollHeight - target.scrollTop - target.clientHeight < 20;
  };
  return html`<h2>Log</h2>
    ${lines.length === 0
      ? html`<p class="empty">Nothing has been printed yet.</p>`
      : html`<pre class="log" ref=${box} tabindex="0" aria-label="Log" onScroll=${scrolled}>${lines.join("\n")}</pre>`}`;
}
