// Train: presets, the form, what it sends.

import { html, useState } from "./vendor/htm-preact.js";
import { differences, EMPTY, filled } from "./form.js";
import { Problem, useAnswer, Waiting } from "./parts.js";
import { Request } from "./request.js";

const TASK = "walk_forward";
const NOTHING_FIXED = {};
let kept = { state: EMPTY, preset: null }; // while other views are looked at

export function Train({ schema }) {
  const presets = useAnswer("api/presets");
  const [state, setState] = useState(kept.state);
  const [preset, setPreset] = useState(kept.preset);
  kept = { state, preset };
  const named = presets.content?.presets ?? {};
  const pick = (name) => {
    setPreset(name);
    setState((before) => filled(schema, TASK, before, named[name].payload));
  };
  const clear = () => {
    setPreset(null);
    setState(EMPTY);
  };
  const touched = preset && named[preset] ? groupsOf(named[preset].payload) : [];
  return html`<h1 tabindex="-1">Train</h1>
    <p>${schema.tasks[TASK].help}</p>
    <${Request} ...${{ schema, task: TASK, state, setState }} path="api/walk-forward" fixed=${NOTHING_FIXED}
      opened=${["", "env/slippage", ...touched]} start="Start">
      <fieldset class="presets">
        <legend>presets</legend>
        <${Problem} text=${presets.problem} />
        ${!presets.content && !presets.problem && html`<${Waiting} what="reading the presets…" />`}
        <div role="group" aria-label="Presets">
          ${schema.tasks[TASK].presets.filter((name) => name in named).map((name) => html`
            <button key=${name} type="button" class="secondary" aria-pressed=${preset === name} onClick=${() => pick(name)}>
              <strong>${name}</strong><small>${named[name].help}</small>
            </button>`)}
        </div>
        <small class="help">${said(schema, state, preset, named)}
          ${(preset || state !== EMPTY) && html` <button type="button" class="reset" onClick=${clear}>everything back to the defaults</button>`}
        </small>
      </fieldset>
    <//>`;
}

function said(schema, state, preset, named) {
  if (!preset || !named[preset]) return "A preset fills in the fields below; every one can still be changed.";
  const changed = differences(schema, TASK, state, named[preset].payload);
  return changed ? `${preset}, with ${changed} of its settings changed.` : `${preset}, as it is.`;
}

const groupsOf = (payload, path = []) => Object.entries(payload).flatMap(([name, inner]) =>
  inner !== null && typeof inner === "object" && !Array.isArray(inner)
    ? [...("kind" in inner ? [[...path, name].join("/")] : []), ...groupsOf(inner, [...path, name])]
    : []);
