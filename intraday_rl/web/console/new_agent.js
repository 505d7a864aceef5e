// A new agent: the same form as for training, with the options of a session.

import { html, useMemo, useState } from "./vendor/htm-preact.js";
import { EMPTY } from "./form.js";
import { Problem, useAnswer } from "./parts.js";
import { Request } from "./request.js";

const TASK = "agent";
const NOTHING_FIXED = {};
const ALWAYS = ["champion", "latest"];
let kept = EMPTY; // while other views are looked at

export function NewAgent({ schema }) {
  const { content, problem } = useAnswer("api/models");
  const [state, setState] = useState(kept);
  kept = state;
  const known = useMemo(() => suggesting(schema, content?.models ?? []), [schema, content]);
  const next = ({ name }) => {
    setState(EMPTY);
    kept = EMPTY;
    return `#/sessions/${name}`;
  };
  return html`<h1 tabindex="-1">New agent</h1>
    <p>${known.tasks[TASK].help} It is made stopped. <a href="#/sessions">back to the agents</a></p>
    <${Problem} text=${problem} />
    <${Request} ...${{ schema: known, task: TASK, state, setState, next }} path="api/agents" fixed=${NOTHING_FIXED}
      opened=${["", "risk"]} start="Create the agent" dry=${false} />`;
}

// The schema with the registered models to choose from, where a model is typed.
function suggesting(schema, models) {
  const suggestions = [...ALWAYS, ...models.flatMap((model) => model.versions.map((version) => version.spec))];
  const task = schema.tasks[TASK];
  const fields = task.fields.map((field) => (field.key === "task.model" ? { ...field, suggestions } : field));
  return { ...schema, tasks: { ...schema.tasks, [TASK]: { ...task, fields } } };
}
