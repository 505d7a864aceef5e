// A form with what it would send: the payload, the command line as the server words it, dry run, start.

import { html, useEffect, useMemo, useRef, useState } from "./vendor/htm-preact.js";
import { ask, newKey } from "./api.js";
import { homeless, Sections } from "./fields.js";
import { payloadOf, sectionsOf } from "./form.js";
import { Copied, Problem } from "./parts.js";
import { Preview } from "./preview.js";

const PAUSE = 300; // milliseconds without a change, then the server is asked

const toTheJob = ({ job_id: id }) => `#/jobs/${id}`;

// `path`: of the route; `fixed`: what is sent besides the form, such as the model; `dry`: whether
// the route has dry runs; `next(answer)`: where to go from there.
export function Request({ schema, task, path, fixed, state, setState, opened, start, children, dry = true, next = toTheJob }) {
  const sections = useMemo(() => sectionsOf(schema, task, state), [schema, task, state]);
  const { payload, problems } = useMemo(() => {
    const made = payloadOf(schema, task, state);
    return { ...made, payload: { ...fixed, ...made.payload } };
  }, [schema, task, state, fixed]);
  const text = JSON.stringify(payload, null, 2);
  const checked = useCommand(path, text, problems.length > 0);
  const [answer, setAnswer] = useState({ busy: null, problem: null, preview: null, of: null });
  const key = useRef({ of: null, key: null });

  const change = ({ chosen, typed }) => setState((before) => ({
    chosen: { ...before.chosen, ...chosen },
    typed: { ...before.typed, ...typed },
  }));
  const send = async (busy, act) => {
    setAnswer({ busy, problem: null, preview: null, of: text });
    try {
      const preview = await act();
      setAnswer({ busy: null, problem: null, preview: preview ?? null, of: text });
    } catch (error) {
      setAnswer({ busy: null, problem: error, preview: null, of: text });
    }
  };
  const dryRun = () => send("dry run", () => ask(path, { payload: { ...payload, dry_run: true } }));
  const begin = () => send("start", async () => {
    if (key.current.of !== text) key.current = { of: text, key: newKey() };
    const answered = await ask(path, { payload, key: key.current.key });
    key.current = { of: null, key: null };
    location.hash = next(answered);
  });

  const refusal = answer.of === text ? answer.problem : null;
  const refused = [...problems, ...checked.problems, ...(refusal?.problems ?? [])];
  const shown = refused.filter((one, index) =>
    refused.findIndex((other) => other.path === one.path && other.text === one.text) === index);
  const elsewhere = homeless(sections, shown).map((one) => (one.path ? `${one.path}: ${one.text}` : one.text));
  const whole = refusal && !refusal.problems?.length ? refusal.message : checked.problem;
  const blocked = answer.busy !== null || shown.length > 0;
  return html`<div class="request">
    <form onSubmit=${(event) => event.preventDefault()} aria-label="Options">
      ${children}
      <${Problem} text=${elsewhere.join("; ")} />
      <${Sections} ...${{ sections, state, change, problems: shown, opened }} />
    </form>
    <aside aria-label="What is sent">
      <${Copied} label="Command line" text=${checked.command} />
      ${checked.pending && html`<p class="said" role="status">asking the server…</p>`}
      <${Copied} label=${`Payload of POST /${path}`} text=${text} wide />
      <div class="begin">
        <${Problem} text=${whole} />
        ${shown.length > 0 && html`<p class="problem" role="status">${shown.length} field(s) to mend: ${shown.map((one) => one.path).join(", ")}</p>`}
        <div class="actions">
          ${dry && html`<button type="button" class="secondary" disabled=${blocked} aria-busy=${answer.busy === "dry run"} onClick=${dryRun}>Dry run</button>`}
          <button type="button" disabled=${blocked} aria-busy=${answer.busy === "start"} onClick=${begin}>${start}</button>
        </div>
      </div>
    </aside>
    <section class="preview">
      ${answer.preview && answer.of === text && html`<${Preview} answer=${answer.preview} />`}
      ${answer.preview && answer.of !== text && html`<p class="empty">The form has changed since the last dry run.</p>`}
    </section>
  </div>`;
}

// The command line that means the same as a payload, once nobody types any more.
function useCommand(path, text, held) {
  const [found, setFound] = useState({ command: "", problems: [], problem: null, of: null });
  useEffect(() => {
    if (held) {
      setFound((before) => ({ ...before, command: "", problems: [], problem: null, of: text }));
      return undefined;
    }
    const ended = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const { command } = await ask(`${path}/command`, { payload: JSON.parse(text), signal: ended.signal });
        setFound({ command, problems: [], problem: null, of: text });
      } catch (error) {
        if (ended.signal.aborted) return;
        const problems = error.problems ?? [];
        setFound({ command: "", problems, problem: problems.length ? null : error.message, of: text });
      }
    }, PAUSE);
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [path, text, held]);
  // What the server said of another payload is not shown beside this one.
  return found.of === text ? { ...found, pending: false } : { command: "", problems: [], problem: null, pending: !held };
}
