// How numbers, times and findings are written; every estimate with its interval.

export const NOTHING = "–";
const known = (value) => value !== null && value !== undefined && Number.isFinite(Number(value));

export function number(value, digits = 2) {
  if (!known(value)) return NOTHING;
  return Number(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
}

export const percent = (value, digits = 1) => (known(value) ? `${number(100 * value, digits)} %` : NOTHING);
export const dollars = (value) => (known(value) ? `${value < 0 ? "−" : ""}$${number(Math.abs(value), 0)}` : NOTHING);
export const count = (value) => number(value, 0);

export function withInterval(estimate, low, high, write = number) {
  if (!known(estimate)) return NOTHING;
  return known(low) && known(high) ? `${write(estimate)} [${write(low)}, ${write(high)}]` : `${write(estimate)} [no interval]`;
}

export const cents = (value) => (known(value) ? `${value < 0 ? "−" : ""}$${number(Math.abs(value), 2)}` : NOTHING);
export const basisPoints = (value) => number(10_000 * value, 1);
export const sharpe = (metrics) => withInterval(metrics?.sharpe, metrics?.sharpe_low, metrics?.sharpe_high);
export const plain = (name) => String(name ?? NOTHING).replaceAll("_", " ");

export function moment(iso) {
  if (!iso) return NOTHING;
  const [date, time] = [{ dateStyle: "short" }, { hour: "2-digit", minute: "2-digit", hour12: false, timeZoneName: "short" }];
  return `${new Date(iso).toLocaleDateString("en-CA", date)} ${new Date(iso).toLocaleTimeString("en-CA", time)}`;
}

// When something happened at the exchange: its own wall clock, whatever zone the browser is in.
export function inNewYork(iso, withDay = false) {
  if (!iso) return NOTHING;
  const when = new Date(String(iso).replace(" ", "T"));
  if (Number.isNaN(when.getTime())) return String(iso);
  const zone = { timeZone: "America/New_York" };
  const time = when.toLocaleTimeString("en-CA", { ...zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return withDay ? `${when.toLocaleDateString("en-CA", { ...zone, dateStyle: "short" })} ${time}` : time;
}

export function duration(seconds) {
  if (!known(seconds)) return NOTHING;
  const whole = Math.round(seconds);
  if (whole < 90) return `${whole} s`;
  if (whole < 5_400) return `${Math.round(whole / 60)} min`;
  return `${(whole / 3_600).toFixed(1)} h`;
}

// What a finding means in one sentence, and how it is coloured; the word itself is always shown.
const FINDINGS = {
  beats_hold: ["good", "Ahead of holding on the same days, beyond the interval."],
  no_edge: ["plain", "No advantage over holding is shown."],
  no_trades: ["bad", "The policy never trades: that is the finding, not a result to compare."],
  abstained: ["plain", "Validation showed no advantage over staying flat, so nothing was traded."],
  ruined: ["bad", "The account was lost."],
  failed: ["bad", "At least one fold has no result."],
  not_tested: ["plain", "A final fit: trained to the end, without a test."],
  promoted: ["good", "The tuned model took over the alias."],
  pending: ["plain", "The fine-tune that made it has not come to its end."],
  kept: ["plain", "The alias stays with the model that had it."],
};
export const toneOf = (finding) => FINDINGS[finding]?.[0] ?? "plain";
export const meaningOf = (finding) => FINDINGS[finding]?.[1] ?? "";

// What the gate said to a tuned model, by the reason that stands in its record.
const GATE = {
  abstained: "The gate kept it: its first training abstained.",
  champion_not_comparable: "The gate kept it: the champion cannot be compared with it.",
  insufficient_evidence: "The gate kept it: too few held-out sessions prove anything.",
  does_not_trade: "The gate kept it: it does not trade.",
  inferior: "The gate kept it: it is proven worse than the margin.",
  not_proven: "The gate kept it: that it is not worse than the margin is not proven.",
  promote_never: "The gate would have let it pass; nothing was to be promoted (promote=never).",
  promote_always: "The gate did not let it pass: promoted against it, as promote=always asks.",
  not_inferior: "The gate let it pass.",
};
export const isAgainstTheGate = (reason) => reason === "promote_always";
export const gateSaid = (reason) => GATE[reason] ?? (reason ? `The gate said: ${plain(reason)}.` : "");

// What a reader must know before believing the numbers of a run.
export function caveats(run) {
  const facts = run.facts ?? run;
  const said = [];
  if (facts.synthetic) said.push("Synthetic bars: this says nothing about a real market.");
  if (facts.reconstructed) said.push("Reconstructed bars: these prices were computed, not traded.");
  if (facts.fill_is_same_bar) said.push("Orders fill at the close they were decided on: optimistic.");
  if (run.verdict === "no_trades") said.push("This policy never trades.");
  if (run.folds_abstained) said.push(`${run.folds_abstained} fold(s) abstained: nothing was traded there.`);
  if (run.folds_failed) said.push(`${run.folds_failed} fold(s) failed: the numbers cover only the others.`);
  for (const [window, looks] of Object.entries(run.test_window_looks ?? {})) {
    if (looks.window > 1) {
      said.push(`Test window ${window} has been looked at ${looks.window} times: the more often, the less its best result proves.`);
    }
  }
  return said;
}
