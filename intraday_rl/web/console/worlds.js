// What two runs must share before their numbers compare: symbol, bars, costs, fills, test days.

// The world of a run, by the keys of its resolved configuration; everything else is a choice.
const WORLD = [
  ["symbol", /^symbol$/],
  ["benchmark", /^benchmark$/],
  ["data", /^(kinds\.data$|data\.(?!bar_minutes$))/],
  ["slippage", /^env\.slippage\./],
  ["impact", /^env\.impact\./],
  ["commission", /^env\.commission\./],
  ["fees", /^env\.fees\./],
  ["financing", /^env\.financing\./],
  ["fill", /^env\.fill$/],
  ["initial equity", /^env\.initial_equity$/],
];

// In what the worlds differ; `lines`: what `flat` makes of each run's configuration.
export function worldsApart(runs, lines) {
  const known = lines.filter((one) => one.size > 0);
  const differing = keysThatDiffer(known);
  const days = new Set(runs.map((run) => JSON.stringify(run.equity.dates)));
  return [
    ...WORLD.filter(([, keys]) => differing.some((key) => keys.test(key))).map(([name]) => name),
    ...(days.size > 1 ? ["test days"] : []),
  ];
}

// Settings that not all of them have alike.
export function keysThatDiffer(lines) {
  const keys = [...new Set(lines.flatMap((one) => [...one.keys()]))];
  return keys.filter((key) => new Set(lines.map((one) => one.get(key))).size > 1);
}

// "a:\n  b: 1" as {"a.b" => "1"}; items of a list are joined, a part without settings is none.
export function flat(plan) {
  const found = new Map();
  const path = [];
  for (const line of plan.split("\n")) {
    const [, indent, key, value] = /^( *)([^\s:-][^:]*):(?: (.*))?$/.exec(line) ?? [];
    if (key) {
      path.splice(indent.length / 2, path.length, key);
      if (value !== undefined && value !== "{}") found.set(path.join("."), value);
    } else if (line.trim().startsWith("- ")) {
      const name = path.join(".");
      found.set(name, [found.get(name), line.trim().slice(2)].filter(Boolean).join(", "));
    }
  }
  return found;
}
