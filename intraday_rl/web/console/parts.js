// Small widgets that every view uses.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/htm-preact.js";
import { ask } from "./api.js";
import { meaningOf, plain, toneOf } from "./words.js";

// What a path answers: {content, problem, at, again}; asked anew every `seconds` while it is shown.
// `at`: when the content came, in milliseconds of `performance.now`.
export function useAnswer(path, seconds = null) {
  const [found, setFound] = useState({ content: null, problem: null, at: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => setFound({ content: null, problem: null, at: null }), [path]);
  useEffect(() => {
    if (!path) return undefined;
    const ended = new AbortController();
    let timer = null;
    const look = async () => {
      try {
        const content = await ask(path, { signal: ended.signal });
        // The same answer is the same object, so that nothing below it is drawn anew.
        setFound((before) => ({ content: isSame(before.content, content) ? before.content : content, problem: null, at: performance.now() }));
      } catch (error) {
        if (ended.signal.aborted) return;
        setFound((before) => ({ ...before, problem: error.message }));
      }
      if (seconds && !ended.signal.aborted) timer = setTimeout(look, 1_000 * seconds);
    };
    look();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [path, turn, seconds]);
  return { ...found, again: () => setTurn((before) => before + 1) };
}

// The moment, drawn anew every second: what comes late must be seen to be late.
export function useNow() {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export const Problem = ({ text }) => (text ? html`<p class="problem" role="alert">${text}</p>` : null);
export const Waiting = ({ what }) => html`<p aria-busy="true">${what}</p>`;
export const Badge = ({ finding, tone }) =>
  html`<span class=${`badge ${tone ?? toneOf(finding)}`} title=${meaningOf(finding)}>${plain(finding)}</span>`;
// What must not be overlooked; the same again is counted.
export function Alarms({ lines }) {
  if (!lines?.length) return null;
  const counts = new Map();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return html`<ul class="notes bad" role="alert" aria-label="Alarms">
    ${[...counts].map(([line, count]) => html`<li key=${line}>${line}${count > 1 ? ` (${count} times)` : ""}</li>`)}
  </ul>`;
}
export const Notes = ({ lines }) =>
  lines?.length ? html`<ul class="notes">${lines.map((line) => html`<li key=${line}>${line}</li>`)}</ul>` : null;

// A table that becomes one block a row on a narrow screen; `columns`: [title, cell(row), class].
// The roles are spelled out because a browser forgets them with the table's own display.
export function Table({ caption, columns, rows, keyOf, empty }) {
  if (!rows.length) return html`<p class="empty">${empty}</p>`;
  return html`<table class="blocks" role="table">
    <caption>${caption}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map(([title, , kind]) => html`<th scope="col" role="columnheader" class=${kind} key=${title}>${title}</th>`)}</tr></thead>
    <tbody role="rowgroup">
      ${rows.map((row, index) => html`<tr role="row" key=${keyOf?.(row) ?? index}>
        ${columns.map(([title, cell, kind]) => html`<td role="cell" key=${title} class=${kind} data-title=${title}><div>${cell(row)}</div></td>`)}
      </tr>`)}
    </tbody>
  </table>`;
}

export function Copied({ label, text, wide }) {
  const [said, setSaid] = useState("");
  const shown = useRef(null);
  useEffect(() => setSaid(""), [text]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("copied");
    } catch {
      // No clipboard on a page without TLS: the text is selected, the rest is one key.
      getSelection().selectAllChildren(shown.current);
      setSaid("selected: press Ctrl+C");
    }
  };
  return html`<figure class="copied">
    <figcaption>
      <span>${label}</span>
      <span class="said" role="status">${said}</span>
      <button type="button" class="small secondary" onClick=${copy} disabled=${!text} aria-label=${`Copy: ${label}`}>Copy</button>
    </figcaption>
    <pre ref=${shown} tabindex="0" class=${wide ? "" : "wrapped"} aria-label=${label}>${text || " "}</pre>
  </figure>`;
}

// A native modal dialog: the browser keeps the focus inside and gives it back.
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  useLayoutEffect(() => {
    dialog.current.showModal();
    return () => dialog.current?.close();
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}>
    <article>
      <h2 id="dialog-title">${title}</h2>
      ${children(() => dialog.current.close())}
    </article>
  </dialog>`;
}

export function Confirmed({ title, text, action, danger, onDo, onClose }) {
  const [state, setState] = useState({ busy: false, problem: null });
  const act = async (close) => {
    setState({ busy: true, problem: null });
    try {
      await onDo();
      close();
    } catch (error) {
      setState({ busy: false, problem: error.message });
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${(close) => html`
      <p>${text}</p>
      <${Problem} text=${state.problem} />
      <footer>
        <button type="button" class="secondary" onClick=${close}>No, go back</button>
        <button type="button" class=${danger ? "danger" : ""} disabled=${state.busy} aria-busy=${state.busy} onClick=${() => act(close)}>${action}</button>
      </footer>`}
  <//>`;
}
