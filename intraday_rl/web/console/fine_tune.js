// Fine-tune one version: the same form as for training, with the model given.

import { html, useMemo, useState } from "./vendor/htm-preact.js";
import { EMPTY } from "./form.js";
import { Problem, useAnswer, Waiting } from "./parts.js";
import { Request } from "./request.js";

const kept = new Map(); // what was typed, by model, while other views are looked at

export function FineTune({ schema, id }) {
  const { content, problem } = useAnswer("api/models");
  const version = content?.models.flatMap((model) => model.versions).find((one) => one.spec === id);
  return html`<h1 tabindex="-1">Fine-tune</h1>
    <p>${schema.tasks.fine_tune.help}</p>
    <p>Model: <strong>${id}</strong>. <a href="#/models">back to the models</a></p>
    <${Problem} text=${problem ?? (content && !version ? "This version is not registered." : null)} />
    ${!content && !problem && html`<${Waiting} what="reading the models…" />`}
    ${version && html`<${Options} schema=${schema} version=${version} />`}`;
}

function Options({ schema, version }) {
  const { spec } = version;
  const [state, setState] = useState(kept.get(spec) ?? startOf(schema, version));
  kept.set(spec, state);
  const fixed = useMemo(() => ({ model: spec }), [spec]);
  return html`<${Request} ...${{ schema, state, setState, fixed }} task="fine_tune" path="api/fine-tune"
    opened=${[""]} start="Start the fine-tune" />`;
}

// The symbol and the source of bars that the model was trained on.
function startOf(schema, { symbol, data_source: source }) {
  const isOption = source in schema.groups.data.options;
  return { chosen: isOption ? { data: source } : {}, typed: { ...EMPTY.typed, symbol } };
}
