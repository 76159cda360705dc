// Forms that are begun, sent, or left. What is entered is never read.
import { listen } from "./browser";
import { ignored } from "./clicks";
import { track } from "./emit";
import { is } from "./options";

interface Begun {
  fields: Set<string>; // names of those touched
  last: string; // of them
  open: boolean; // not sent since
}

const begun = new Map<HTMLFormElement, Begun>();

const tell = (event: string, form: HTMLFormElement, state?: Begun, last?: string) => {
  // Attributes: fields called id or name would hide the form's own.
  const names = ["data-cairn", "id", "name", "action"].map((a) => form.getAttribute(a));
  track(event, {
    form: names.find((n) => n)?.split("?")[0],
    fields: state?.fields.size,
    last_field: last,
  });
};

// watchForms listens to the whole document.
export const watchForms = () => {
  if (is("forms", "false")) return;
  listen(document, "input", (e) => {
    const field = e.target as HTMLInputElement;
    const form = field.form;
    if (!form || ignored(field)) return;
    let state = begun.get(form);
    if (!state) {
      begun.set(form, (state = { fields: new Set(), last: "", open: true }));
      tell("form_started", form);
    }
    state.open = true;
    state.fields.add((state.last = field.name || field.id));
  });
  listen(document, "submit", (e) => {
    const form = e.target as HTMLFormElement;
    if (ignored(form)) return;
    const state = begun.get(form);
    if (state) state.open = false;
    tell("form_submitted", form, state);
  });
};

// abandonForms tells which were not sent.
export const abandonForms = () => {
  begun.forEach((state, form) => {
    if (state.open) tell("form_abandoned", form, state, state.last);
  });
  begun.clear();
};
