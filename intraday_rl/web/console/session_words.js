// What an agent and its session say of themselves, in the words of the page.

import { duration, inNewYork, NOTHING, number, plain } from "./words.js";

const OLD_SECONDS = 10; // a session tells how it stands every second or so

const STATUSES = {
  running: ["good", "Plays every session until it is stopped."],
  stopped: ["plain", "Plays no session."],
  error: ["bad", "Its last session failed; it waits for somebody to look."],
};
const STATES = {
  waiting: ["plain", "Before the first bar."],
  trading: ["busy", "Decides at the end of each bar."],
  leaving: ["warn", "Closes what is open, and opens nothing more."],
  flat: ["plain", "Holds nothing, and opens nothing more."],
  closed: ["plain", "Over."],
};
const RISKS = { ACTIVE: "good", REDUCING: "warn", HALTED: "bad" };
const LEFT_AS_MEANT = ["cutoff", null, undefined];

export const statusOf = ({ status, once }) => {
  const [tone, meaning] = STATUSES[status];
  return { tone, meaning, text: status === "running" && once ? "running once" : status };
};
export const stateOf = (state) => {
  const [tone, meaning] = STATES[state] ?? ["plain", ""];
  return { tone, meaning, text: plain(state) };
};
// HALTED at the cutoff is the day's usual end.
export const riskOf = ({ risk_state: state, risk_reason: reason }) => ({
  tone: state === "HALTED" && LEFT_AS_MEANT.includes(reason) ? "plain" : RISKS[state] ?? "plain",
  text: String(state),
  reason: reason ? plain(reason) : "",
});

// Seconds since the session said anything; `waited`: milliseconds since the server told us.
export function newsOf({ seconds_since_update: seconds, at_work: atWork }, waited) {
  if (seconds === null) return { old: false, text: atWork ? "nothing yet" : NOTHING };
  const age = seconds + waited / 1_000;
  const old = atWork && age > OLD_SECONDS;
  return { old, text: `${old ? "stale: last heard " : ""}${duration(age)} ago` };
}

export const netBps = ({ equity, equity_before: before }) => 10_000 * (equity / before - 1);
export const bps = (value) => (value === null || value === undefined ? NOTHING : `${value > 0 ? "+" : ""}${number(value, 1)} bp`);

// One line of the journal: when, what, and the rest as it is.
export function journalLine({ number: place, event, time, ...rest }) {
  const said = Object.entries(rest).map(([key, value]) => `${key}=${worded(value)}`);
  return `${inNewYork(time)}  ${event}${said.length ? `  ${said.join(" ")}` : ""}`;
}

const STAMP = /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}\S*$/;
const worded = (value) => (typeof value === "string" && STAMP.test(value) ? inNewYork(value) : typeof value === "object" ? JSON.stringify(value) : String(value));
