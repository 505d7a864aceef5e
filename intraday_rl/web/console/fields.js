// The form as it is seen: one fieldset a section, one label, help and error a field.

import { html } from "./vendor/htm-preact.js";
import { isChanged, slotOf, textOf, typedIn } from "./form.js";
import { plain } from "./words.js";

const FEW = 4; // fields that need no folding

// `change(patch)` gets what is new of `chosen` and `typed`; `problems`: [{path, text}].
export function Sections({ sections, state, change, problems, opened = [] }) {
  return sections.map((section) => html`
    <${Section} key=${section.name} ...${{ section, state, change, problems }}
      open=${section.fields.length <= FEW || opened.includes(section.name)} />`);
}

function Section({ section, state, change, problems, open }) {
  const { name, group, fields, help } = section;
  const own = group ? problems.filter((one) => [pathOf(group), `${pathOf(group)}.kind`].includes(one.path)) : [];
  const changed = fields.filter((field) => isChanged(state, section, field)).length;
  const refused = fields.some((field) => problemsOf(field, problems).length);
  const said = changed ? `, ${changed} changed` : "";
  return html`<fieldset class="section" id=${`section-${name}`}>
    <legend>${name ? plain(name).replace("/", " · ") : "general"}</legend>
    ${group && html`<${Choice} ...${{ section, change, problems: own }} />`}
    ${help && html`<small class="help">${worded(help)}</small>`}
    ${fields.length > 0 && (group || !open) && html`<details open=${open || refused}>
      <summary>${fields.length} ${fields.length === 1 ? "option" : "options"}${said}</summary>
      <div class="fields"><${Fields} ...${{ section, state, change, problems }} /></div>
    </details>`}
    ${fields.length > 0 && !group && open && html`<div class="fields"><${Fields} ...${{ section, state, change, problems }} /></div>`}
  </fieldset>`;
}

function Choice({ section, change, problems }) {
  const { group, option, options, usual } = section;
  const id = `choice-${group}`;
  const pick = (event) => change({ chosen: { [group]: event.target.value } });
  return html`<label class="choice" for=${id}>
    <span class="sr-only">${plain(group)}</span>
    <select id=${id} value=${option} disabled=${options.length < 2} onChange=${pick}
      aria-invalid=${problems.length ? "true" : undefined} aria-describedby=${problems.length ? `${id}-problem` : undefined}>
      ${options.map((one) => html`<option key=${one} value=${one} selected=${one === option}>${one}${one === usual ? " (default)" : ""}</option>`)}
    </select>
    <${FieldProblems} id=${`${id}-problem`} problems=${problems} />
  </label>`;
}

const Fields = ({ section, state, change, problems }) => section.fields.map((field) => {
  const slot = slotOf(section, field);
  return html`<${Field} key=${slot} field=${field} text=${typedIn(state, section, field)}
    changed=${isChanged(state, section, field)} problems=${problemsOf(field, problems)}
    change=${(text) => change({ typed: { [slot]: text } })} />`;
});

function Field({ field, text, changed, problems, change }) {
  const id = `field-${field.key}`;
  const described = [`${id}-help`, ...(problems.length ? [`${id}-problem`] : [])].join(" ");
  const common = {
    id,
    "aria-describedby": described,
    "aria-invalid": problems.length ? "true" : undefined,
    "aria-required": field.required ? "true" : undefined,
  };
  const usual = textOf(field, field.default);
  const said = [worded(field.help), rangeOf(field), field.required ? "required" : `default: ${usual === "" ? "none" : usual}`];
  return html`<div class=${`field ${changed ? "changed" : ""} ${field.type === "list of maps" ? "wide" : ""}`}>
    <label for=${id}>${field.name}${field.unit && html` <span class="unit">${worded(field.unit)}</span>`}</label>
    ${widget(field, text, change, common)}
    <${FieldProblems} id=${`${id}-problem`} problems=${problems} />
    <small id=${`${id}-help`} class="help">${said.filter(Boolean).join(" · ")}
      ${changed && html` <button type="button" class="reset" onClick=${() => change(textOf(field, field.default))}
        aria-label=${`Back to the default of ${field.name}`}>back to it</button>`}
    </small>
  </div>`;
}

function widget(field, text, change, common) {
  const typed = (event) => change(event.target.value);
  if (field.type === "boolean") {
    return html`<input type="checkbox" role="switch" ...${common} checked=${text} onChange=${(event) => change(event.target.checked)} />`;
  }
  if (field.type === "choice") {
    return html`<select ...${common} value=${text} onChange=${typed}>
      ${field.choices.map((one) => html`<option key=${one} value=${one} selected=${one === text}>${one}</option>`)}
    </select>`;
  }
  if (field.type === "list of maps") return html`<textarea rows="4" spellcheck="false" ...${common} onInput=${typed} value=${text} />`;
  const suggested = field.suggestions ? `${common.id}-suggestions` : undefined;
  const mode = { integer: "numeric", number: "decimal" }[field.type] ?? "text";
  return html`<input type="text" inputmode=${mode} autocomplete="off" spellcheck="false" autocapitalize="off"
    list=${suggested} placeholder=${field.nullable ? "none" : ""} ...${common} value=${text} onInput=${typed} />
    ${suggested && html`<datalist id=${suggested}>${field.suggestions.map((one) => html`<option key=${one} value=${one} />`)}</datalist>`}`;
}

const FieldProblems = ({ id, problems }) =>
  problems.length ? html`<small id=${id} class="problem" role="alert">${problems.map((one) => one.text).join("; ")}</small>` : null;

// Help is written for the command line; here an empty field is what null is there.
const worded = (text) => text.replaceAll("`", "").replace(/\bnull\b/g, "none");
const pathOf = (group) => group.replaceAll("/", ".");

// Of the field itself, or of what lies inside it, such as the second item of a list.
function problemsOf(field, problems) {
  const path = field.path.join(".");
  return problems.filter((one) => one.path === path || one.path.startsWith(`${path}.`));
}

function rangeOf({ range }) {
  if (!range || (range.low === null && range.high === null)) return "";
  const [low, high] = [range.low, range.high].map((end) => end?.toLocaleString("en-US", { maximumSignificantDigits: 12 }));
  if (range.high === null) return range.low_open ? `above ${low}` : `at least ${low}`;
  if (range.low === null) return range.high_open ? `below ${high}` : `at most ${high}`;
  return `${range.low_open ? "above" : "from"} ${low} ${range.high_open ? "to below" : "to"} ${high}`;
}

// The problems that no field and no choice shows, for the top of the form.
export function homeless(sections, problems) {
  const fields = sections.flatMap((one) => one.fields);
  const choices = sections.filter((one) => one.group).flatMap((one) => [pathOf(one.group), `${pathOf(one.group)}.kind`]);
  return problems.filter((one) => !choices.includes(one.path) && !fields.some((field) => problemsOf(field, [one]).length));
}
