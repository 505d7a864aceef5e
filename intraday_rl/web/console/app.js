// The frame: token, navigation by the part of the address behind #, one view at a time.

import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./vendor/htm-preact.js";
import { Agent } from "./agent.js";
import { token } from "./api.js";
import { Compare } from "./compare.js";
import { FineTune } from "./fine_tune.js";
import { Job, Jobs } from "./jobs.js";
import { Models } from "./models.js";
import { NewAgent } from "./new_agent.js";
import { Problem, useAnswer, Waiting } from "./parts.js";
import { Run } from "./run.js";
import { Runs } from "./runs.js";
import { Day } from "./session_day.js";
import { Sessions } from "./sessions.js";
import { Train } from "./train.js";

// address -> [title, the navigation's entry, view, needs an id]
const VIEWS = {
  train: ["Train", "train", ({ schema }) => html`<${Train} schema=${schema} />`],
  jobs: ["Jobs", "jobs", ({ id }) => (id ? html`<${Job} key=${id} id=${id} />` : html`<${Jobs} />`)],
  runs: ["Runs", "runs", ({ id }) => (id ? html`<${Run} key=${id} id=${id} />` : html`<${Runs} />`)],
  compare: ["Compare", "runs", ({ id }) => html`<${Compare} ids=${id} />`],
  models: ["Models", "models", () => html`<${Models} />`],
  "fine-tune": ["Fine-tune", "models", ({ schema, id }) => html`<${FineTune} key=${id} schema=${schema} id=${id} />`],
  sessions: ["Sessions", "sessions", ({ id }) => html`<${SessionsAt} key=${id} id=${id} />`],
  "new-agent": ["New agent", "sessions", ({ schema }) => html`<${NewAgent} schema=${schema} />`],
};
const ENTRIES = ["train", "jobs", "runs", "models", "sessions"];

// All agents, one of them, or one of its days.
function SessionsAt({ id }) {
  const [agent, day] = id.split("/");
  if (day) return html`<${Day} agent=${agent} day=${day} />`;
  return agent ? html`<${Agent} name=${agent} />` : html`<${Sessions} />`;
}

function App() {
  const [held, setHeld] = useState(token.get());
  useEffect(() => token.onChange(setHeld), []);
  return held ? html`<${Signed} />` : html`<${Door} />`;
}

function Door() {
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const enter = async (event) => {
    event.preventDefault();
    setBusy(true);
    const value = typed.trim();
    try {
      const answer = await fetch("api/presets", { headers: { Authorization: `Bearer ${value}` }, credentials: "omit" });
      if (answer.ok) return token.set(value);
      setProblem(answer.status === 401 ? "The server does not know this token." : `The server answers ${answer.status}.`);
    } catch {
      setProblem("The server does not answer, or the token holds signs that none can hold.");
    }
    return setBusy(false);
  };
  return html`<main class="container door">
    <h1>intraday-rl</h1>
    <form onSubmit=${enter}>
      <label>Token
        <input type="password" required autofocus autocomplete="off" value=${typed} onInput=${(event) => setTyped(event.target.value)}
          aria-describedby="token-help" aria-invalid=${problem ? "true" : undefined} />
      </label>
      <small id="token-help">The one the server was started with. It is kept in this tab until it is closed.</small>
      <${Problem} text=${problem} />
      <button type="submit" disabled=${busy || !typed.trim()} aria-busy=${busy}>Enter</button>
    </form>
  </main>`;
}

function Signed() {
  const [address, setAddress] = useState(read);
  const schema = useAnswer("api/schema");
  const main = useRef(null);
  const moved = useRef(false);
  useEffect(() => {
    const turn = () => {
      moved.current = true;
      setAddress(read());
    };
    addEventListener("hashchange", turn);
    return () => removeEventListener("hashchange", turn);
  }, []);
  const { name, id } = address;
  const [title, entry, View] = VIEWS[name];
  useEffect(() => {
    document.title = `${title} · intraday-rl`;
    if (!moved.current) return;
    scrollTo(0, 0);
    main.current.querySelector("h1")?.focus({ preventScroll: true });
  }, [name, id]);
  const skip = (event) => {
    event.preventDefault();
    main.current.querySelector("h1")?.focus();
  };
  return html`
    <a class="skip" href="#content" onClick=${skip}>To the content</a>
    <header class="container-fluid">
      <nav aria-label="Views">
        <ul><li><strong>intraday-rl</strong></li></ul>
        <ul>
          ${ENTRIES.map((one) => html`<li key=${one}><a href=${`#/${one}`} aria-current=${one === entry ? "page" : undefined}>${VIEWS[one][0]}</a></li>`)}
          <li><button type="button" class="small secondary" onClick=${() => token.set(null)}>Leave</button></li>
        </ul>
      </nav>
    </header>
    <main class="container-fluid" ref=${main}>
      <${Problem} text=${schema.problem} />
      ${!schema.content && !schema.problem && html`<${Waiting} what="reading the options…" />`}
      ${schema.content && html`<${Guarded} key=${`${name}/${id}`}><${View} schema=${schema.content} id=${id} /><//>`}
    </main>`;
}

// A mistake in one view does not take the others with it.
function Guarded({ children }) {
  const [error] = useErrorBoundary();
  return error ? html`<h1 tabindex="-1">This view failed</h1><${Problem} text=${String(error)} />` : children;
}

function read() {
  const [name, ...rest] = location.hash.replace(/^#\//, "").split("/");
  if (!Object.hasOwn(VIEWS, name)) return { name: ENTRIES[0], id: "" };
  return { name, id: decoded(rest.join("/")) };
}

// An address that was typed or cut may hold a % that begins nothing: then it stands for itself.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

render(html`<${App} />`, document.body);
