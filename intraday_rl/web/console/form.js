// What is chosen and typed, and the payload that says it; knows the schema, and no widgets.
//
// state = { chosen: {group: option}, typed: {slot: text or boolean} }. A slot is one field of one
// option, so that what was typed for one kind is not carried over to another.

export const EMPTY = { chosen: {}, typed: {} };

// The form from top to bottom: fields that are in no group, then one section for each group.
export function sectionsOf(schema, task, { chosen, typed = {} }) {
  const { groups, fields: every } = schema.tasks[task];
  const fields = every.filter((field) => isMeant(field, every, typed));
  const names = [...new Set(fields.map((field) => rootOf(field.path)))];
  const plain = (name) => ({ name, group: null, fields: fields.filter((field) => rootOf(field.path) === name) });
  const grouped = (group) => {
    const { default: usual, options } = schema.groups[group];
    const option = chosen[group] ?? usual;
    const { help, fields } = options[option];
    return { name: group, group, usual, option, options: Object.keys(options), help, fields };
  };
  const roots = [...new Set(["", ...groups.map((group) => group.split("/")[0]), ...names])];
  return roots.flatMap((root) => [
    ...(names.includes(root) ? [plain(root)] : []),
    ...groups.filter((group) => group.split("/")[0] === root).map(grouped),
  ]);
}

// A field that says where it applies is there only beside these values of another field.
function isMeant({ applies }, fields, typed) {
  if (!applies) return true;
  const other = fields.find((one) => same(one.path, applies.path));
  return applies.values.includes(typed[slotOf({ group: null }, other)] ?? other.default);
}

const rootOf = (path) => (path.length > 1 ? path[0] : "");
export const slotOf = (section, field) => `${section.group ? `${section.group}=${section.option}:` : ""}${field.key}`;

export function typedIn(state, section, field) {
  return state.typed[slotOf(section, field)] ?? textOf(field, field.default);
}

export function textOf(field, value) {
  if (field.type === "boolean") return value;
  if (value === null || value === undefined) return "";
  if (field.type === "list of maps") return JSON.stringify(value);
  return Array.isArray(value) ? value.join(", ") : String(value);
}

// {value}, or {problem} for what cannot be sent; whether a value is allowed is the server's to say.
export function parse(field, text) {
  if (field.type === "boolean") return { value: text };
  const trimmed = text.trim();
  if (trimmed === "" && field.nullable) return { value: null };
  if (field.type === "list of maps") return parsedJson(trimmed);
  const items = /^list of (integer|number|string)s$/.exec(field.type);
  if (items) {
    const parts = trimmed === "" ? [] : trimmed.replace(/^\[|\]$/g, "").split(",");
    const found = parts.map((part) => parse({ type: items[1] }, part));
    return found.find((one) => "problem" in one) ?? { value: found.map((one) => one.value) };
  }
  if (trimmed === "") return { problem: "needs a value" };
  if (field.type === "integer" || field.type === "number") return parsedNumber(field.type, trimmed);
  return { value: trimmed };
}

function parsedNumber(type, text) {
  const value = Number(text.replaceAll("_", ""));
  if (!Number.isFinite(value)) return { problem: "must be a number" };
  if (type === "number") return { value };
  if (!Number.isInteger(value)) return { problem: "must be a whole number" };
  return Number.isSafeInteger(value) ? { value } : { problem: "is too large for this page; use the command line" };
}

function parsedJson(text) {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { problem: 'must be JSON, such as [{"train_start": "2018-01-02", …}]' };
  }
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export function isChanged(state, section, field) {
  const slot = slotOf(section, field);
  if (!(slot in state.typed)) return false;
  return !same(parse(field, state.typed[slot]), { value: field.default });
}

// What is sent: options and fields that apply and differ from the default, and nothing else.
export function payloadOf(schema, task, state) {
  const payload = {};
  const problems = [];
  for (const section of sectionsOf(schema, task, state)) {
    const changed = section.fields.filter((field) => isChanged(state, section, field));
    if (section.group && (section.option !== section.usual || changed.length)) {
      place(payload, [...section.group.split("/"), "kind"], section.option);
    }
    for (const field of changed) {
      const { value, problem } = parse(field, typedIn(state, section, field));
      if (problem) problems.push({ path: field.path.join("."), text: problem });
      else place(payload, field.path, value);
    }
    for (const field of section.fields.filter((one) => one.required && !changed.includes(one))) {
      problems.push({ path: field.path.join("."), text: "needs a value" });
    }
  }
  return { payload, problems };
}

function place(payload, path, value) {
  const inner = path.slice(0, -1).reduce((part, name) => (part[name] ??= {}), payload);
  inner[path.at(-1)] = value;
}

// The form filled with a payload; what the payload does not name stays as it is.
export function filled(schema, task, state, payload) {
  const chosen = { ...state.chosen };
  const leaves = leavesOf(payload);
  for (const [path, value] of leaves) {
    if (path.at(-1) === "kind") chosen[path.slice(0, -1).join("/")] = value;
  }
  const typed = { ...state.typed };
  for (const section of sectionsOf(schema, task, { chosen })) {
    for (const field of section.fields) {
      const leaf = leaves.find(([path]) => same(path, field.path));
      if (leaf) typed[slotOf(section, field)] = textOf(field, leaf[1]);
    }
  }
  return { chosen, typed };
}

// How many of a payload's words the form says differently.
export function differences(schema, task, state, payload) {
  const sections = sectionsOf(schema, task, state);
  return leavesOf(payload).filter(([path, value]) => {
    if (path.at(-1) === "kind") {
      return sections.find((one) => one.group === path.slice(0, -1).join("/"))?.option !== value;
    }
    for (const section of sections) {
      const field = section.fields.find((one) => same(one.path, path));
      if (field) return !same(parse(field, typedIn(state, section, field)), { value });
    }
    return true;
  }).length;
}

function leavesOf(value, path = []) {
  const isPart = value !== null && typeof value === "object" && !Array.isArray(value);
  return isPart ? Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key])) : [[path, value]];
}
