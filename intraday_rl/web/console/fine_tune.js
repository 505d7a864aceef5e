// Fine-tune one version: the same form as for training, with the model given.

import { html, useMemo, useState } from "./vendor/htm-preact.js";
import { EMPTY } from "./form.js";
import { Request } from "./request.js";

const kept = new Map(); // what was typed, by model, while other views are looked at

export function FineTune({ schema, id }) {
  const [state, setState] = useState(kept.get(id) ?? EMPTY);
  kept.set(id, state);
  const fixed = useMemo(() => ({ model: id }), [id]);
  return html`<h1 tabindex="-1">Fine-tune</h1>
    <p>${schema.tasks.fine_tune.help}</p>
    <p>Model: <strong>${id}</strong>. <a href="#/models">back to the models</a></p>
    <${Request} ...${{ schema, state, setState, fixed }} task="fine_tune" path="api/fine-tune"
      opened=${[""]} start="Start the fine-tune" />`;
}
