// The one door to the server: the token travels in a header only, never in an address.

const KEY = "intraday-rl-token";
const LONGEST_PAUSE = 10_000; // milliseconds between two tries to follow a job

export class Refused extends Error {
  // `problems`: [{path, text}] of the fields that the server names; empty if it names none.
  constructor(status, text, problems = []) {
    super(text);
    Object.assign(this, { status, problems });
  }
}

const listeners = new Set();
export const token = {
  get: () => sessionStorage.getItem(KEY),
  set(value) {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
    listeners.forEach((listener) => listener(value));
  },
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

export async function ask(path, { payload, key, signal, method } = {}) {
  const answer = await request(path, { payload, key, signal, method });
  return answer.status === 204 ? null : answer.json();
}

export async function download(path, name) {
  const address = URL.createObjectURL(await (await request(path)).blob());
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  URL.revokeObjectURL(address);
}

// A key under which the same request is the same job, however often it is sent.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Calls `heard(event, content)` for every server-sent event, until `end`; comes back after a loss.
export async function follow(path, heard, signal) {
  let last = null;
  let pause = 1_000;
  while (!signal.aborted) {
    try {
      const answer = await request(path, { signal, last });
      for await (const event of eventsOf(answer.body)) {
        last = event.id ?? last;
        pause = 1_000;
        heard(event.name, JSON.parse(event.data));
        if (event.name === "end") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status !== 429 && error.status < 500) throw error;
      heard("lost", { text: error.message });
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
}

async function request(path, { payload, key, signal, last, method } = {}) {
  const headers = { Authorization: `Bearer ${token.get()}` };
  if (payload !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (last) headers["Last-Event-ID"] = last;
  const options = { headers, signal, method, cache: "no-store", credentials: "omit" };
  if (payload !== undefined) Object.assign(options, { method: "POST", body: JSON.stringify(payload) });
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server does not answer.");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) token.set(null);
  throw await refusal(answer);
}

async function refusal(answer) {
  let detail = `${answer.status} ${answer.statusText}`;
  try {
    detail = (await answer.json()).detail ?? detail;
  } catch {
    // Not JSON: something before the server answered, such as a proxy.
  }
  if (typeof detail === "string") return new Refused(answer.status, detail);
  const problems = detail.map(({ loc, msg }) => ({ path: loc.slice(1).join("."), text: msg }));
  const text = problems.map((one) => (one.path ? `${one.path}: ${one.text}` : one.text)).join("; ");
  return new Refused(answer.status, text, problems);
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (kept + value).split(/\r?\n\r?\n/);
    kept = blocks.pop();
    for (const block of blocks) {
      const event = { name: "message", id: null, data: "" };
      for (const line of block.split(/\r?\n/)) {
        const [, field, content] = /^(\w+): ?(.*)$/s.exec(line) ?? [];
        if (field === "event") event.name = content;
        else if (field === "id") event.id = content;
        else if (field === "data") event.data += content;
      }
      if (event.data) yield event;
    }
  }
}
