// Saves a section's form by itself: each changed field with the mark of the text it was typed over. What has not
// reached the server is kept in the browser (kept.js) from the first key on, and comes back with the page.
// The other side is portal/web/application_drafts.py.
import * as kept from "./kept.js";
import { View } from "./draft_view.js";

const IDLE = 1500; // ms without a key
const LEFT = 200; // ms after a field was left
const BEAT = 20_000;
const PATIENCE = 20_000; // ms for an answer
const AGAIN = [2000, 4000, 8000, 15_000, 30_000];
const AT_ONCE = 500_000; // characters in one request
const UNANSWERED = 10; // texts a field remembers as sent

/** One field: `known` is the text the server has as far as this page knows, `base` its mark. */
class Field {
  constructor(key, name, mark, inputs, label) {
    Object.assign(this, { key, name, inputs, label, base: mark, sent: [], clash: null, refused: null, error: null });
    this.known = this.value;
  }

  get value() {
    const [first] = this.inputs;
    if (first.type === "radio") return this.inputs.find((input) => input.checked)?.value ?? "";
    if (first.type === "checkbox") return first.checked ? first.value : "";
    return first.value;
  }

  set value(text) {
    const [first] = this.inputs;
    if (first.type === "radio" || first.type === "checkbox") {
      for (const input of this.inputs) input.checked = input.value === text;
    } else first.value = text;
    first.dispatchEvent(new Event("input", { bubbles: true }));
  }

  get dirty() {
    return this.value !== this.known;
  }

  get active() {
    return this.inputs.includes(document.activeElement);
  }
}

class Draft {
  constructor(form) {
    this.form = form;
    this.url = form.dataset.draft;
    this.path = location.pathname;
    this.view = new View(form);
    this.version = Number(form.elements.version?.value ?? 0);
    this.running = null;
    this.failures = 0;
    this.stopped = false; // by a reason that sending again does not mend
    this.fields = this.#fields();
  }

  #fields() {
    const found = [];
    for (const [key, mark] of Object.entries(JSON.parse(this.form.elements.marks.value))) {
      const { prefix } = this.form.dataset;
      const name = prefix ? prefix + key.replaceAll(".", "-") : key;
      const inputs = [...this.form.querySelectorAll(`[name="${CSS.escape(name)}"]`)];
      if (inputs.length) found.push(new Field(key, name, mark, inputs, labelOf(inputs[0])));
    }
    return found;
  }

  get unsaved() {
    return this.fields.filter((field) => field.dirty);
  }

  /** Fields to send now; those that wait for a choice or a shorter text stay. */
  get waiting() {
    return this.unsaved.filter((field) => !field.clash && field.refused !== field.value);
  }

  async start() {
    this.form.addEventListener("input", (event) => this.#typed(event, IDLE));
    this.form.addEventListener("change", (event) => this.#typed(event, LEFT));
    this.form.addEventListener("focusout", () => setTimeout(() => this.#messages(), 0));
    this.form.addEventListener("submit", (event) => this.#submit(event));
    addEventListener("online", () => this.#retry());
    addEventListener("focus", () => this.#retry());
    addEventListener("pageshow", (event) => event.persisted && this.#refresh());
    addEventListener("beforeunload", (event) => this.#warn(event));
    document.addEventListener("visibilitychange", () => this.send());
    kept.beforeSignOut(() => this.send());
    await this.#restore();
    this.#beat();
    setInterval(() => this.#beat(), BEAT);
  }

  // What is typed

  #typed(event, delay) {
    const field = this.fields.find((each) => each.inputs.includes(event.target));
    if (!field) return;
    this.#keep();
    if (field.clash && field.value === field.clash.theirs) this.#choose(field, "theirs");
    if (!this.stopped && field.dirty) this.view.waiting("waiting");
    this.#later(delay);
  }

  #keep() {
    if (this.unsaved.length === 0) {
      kept.drop(this.path);
      this.unkept = false;
    } else this.unkept = !kept.keep(this.path, this.#entry());
  }

  #entry() {
    const fields = {};
    for (const { key, value, base, sent, label } of this.unsaved) fields[key] = { value, base, sent, label };
    return { title: this.form.dataset.title, fields };
  }

  #later(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), delay);
  }

  #warn(event) {
    if (this.unkept && this.unsaved.length) event.preventDefault();
  }

  // What comes back

  /** Take over what closed pages have kept: the newest text of each field; older ones are shown beside the form. */
  async #restore() {
    const older = [];
    let back = false;
    for (const entry of (await kept.left(this.path)).reverse()) {
      const rest = {};
      for (const [key, item] of Object.entries(entry.fields)) {
        const field = this.fields.find((each) => each.key === key);
        if (field?.value === item.value) continue;
        if (!field || field.dirty) rest[key] = item;
        else {
          Object.assign(field, { base: item.base, sent: item.sent ?? [] });
          field.value = item.value;
          back = true;
        }
      }
      if (Object.keys(rest).length) older.push({ ...entry, fields: rest });
      else if (this.unsaved.length === 0 || kept.keep(this.path, this.#entry())) kept.drop("", entry.key);
    }
    const panel = document.querySelector("[data-kept-list]");
    if (panel) kept.list(panel, older);
    if (back) this.view.say(this.view.words.restored);
    this.#keep();
  }

  // What goes out

  /** Send what is unsaved; true when everything is saved then. */
  async send() {
    if (this.running) await this.running;
    while (!this.stopped && !this.away && this.waiting.length) {
      this.running = this.#sendOnce();
      const went = await this.running;
      this.running = null;
      if (!went) return false;
    }
    return this.unsaved.length === 0;
  }

  async #sendOnce() {
    const batch = [];
    let size = 0;
    for (const field of this.waiting) {
      size += field.value.length;
      if (batch.length && size > AT_ONCE) break;
      batch.push([field, field.value]);
    }
    const changes = {};
    for (const [field, value] of batch) {
      changes[field.key] = { value, base: field.base, sent: [...field.sent] };
      if (field.sent.at(-1) !== value) field.sent = [...field.sent, value].slice(-UNANSWERED);
    }
    this.#keep();
    this.view.waiting("saving");
    const answer = await this.#ask(changes);
    if (!answer && this.tooLarge) {
      // Not taken as it is; a shorter text is sent again, and so are the other fields.
      for (const [field, value] of batch) Object.assign(field, { refused: value, sent: [], error: this.tooLarge });
      this.tooLarge = null;
      this.#messages();
      return true;
    }
    if (!answer) return false;
    for (const [field, value] of batch) this.#answered(field, value, answer);
    this.#heard(answer);
    this.#keep();
    this.#tell(answer);
    return true;
  }

  #answered(field, value, answer) {
    if (field.key in answer.marks) {
      Object.assign(field, { known: value, base: answer.marks[field.key], sent: [], refused: null });
    }
    const clash = answer.clashes.find((each) => each.key === field.key);
    if (clash) {
      field.clash = { ...clash, yours: value };
      field.sent = [];
      this.view.clash(field, field.clash, (choice) => this.#choose(field, choice));
    } else if (!(field.key in answer.marks)) {
      field.refused = value;
      field.sent = [];
    }
    field.error = answer.errors[field.key] ?? "";
    this.#messages();
  }

  #choose(field, choice) {
    const { theirs, mark } = field.clash;
    Object.assign(field, { clash: null, base: mark, known: theirs });
    this.view.settled(field);
    if (choice === "theirs") field.value = theirs;
    field.inputs[0].focus();
    this.#keep();
    if (field.dirty) this.#later(0);
    else this.#tell({});
  }

  /** Messages of fields; one that is being typed into is left alone unless it is right again. */
  #messages() {
    for (const field of this.fields) {
      if (field.error === null || (field.error && field.active)) continue;
      this.view.message(field, field.error);
      field.error = null;
    }
  }

  /** What any good answer brings: the version, who else is here, and what others have saved. */
  #heard(answer) {
    this.failures = 0;
    let passed = false; // a field under the cursor is left alone, and comes with the next answer
    if ("others" in answer) this.view.present(answer.others);
    for (const [key, { value, mark }] of Object.entries(answer.fields ?? {})) {
      const field = this.fields.find((each) => each.key === key);
      if (!field || field.dirty || field.base === mark) continue;
      if (field.active) {
        passed = true;
        continue;
      }
      Object.assign(field, { known: value, base: mark });
      field.value = value;
      this.view.message(field, "");
    }
    if (!passed) this.version = answer.version;
  }

  #tell(answer) {
    if (this.fields.some((field) => field.clash)) this.view.bad("clash");
    else if (this.fields.some((field) => field.refused !== null && field.refused === field.value)) this.view.bad("partly");
    else if (this.unsaved.length === 0) this.view.well(answer.saved);
  }

  async #beat() {
    if (document.hidden || this.running) return;
    if (this.away) {
      this.#retry();
      return;
    }
    if (this.waiting.length && !this.stopped) {
      this.send();
      return;
    }
    if (this.stopped) return;
    const answer = await this.#ask({}, true);
    if (!answer) return;
    this.#heard(answer);
    if (this.unsaved.length === 0) this.view.well(answer.saved);
  }

  // The wire

  /** POST changes. Gives the answer, or null after having told what is in the way. */
  async #ask(changes, quiet = false, again = true) {
    const body = JSON.stringify({ person: this.form.dataset.person, version: this.version, changes });
    let response;
    try {
      response = await this.#fetch({
        method: "POST",
        body,
        keepalive: document.hidden && body.length < 20_000,
        headers: { "Content-Type": "application/json", "X-CSRFToken": this.form.elements.csrf_token.value },
      });
      if (response.ok) return await response.json();
    } catch {
      if (!quiet) this.#failed("offline");
      return null;
    }
    const problem = await response.json().catch(() => ({}));
    if (problem.code === "expired" && again) return (await this.#refresh()) ? this.#ask(changes, quiet, false) : null;
    return this.#refused(response.status, problem, quiet);
  }

  #fetch(options) {
    const headers = { Accept: "application/json", ...options.headers };
    const patience = AbortSignal.timeout?.(PATIENCE);
    return fetch(this.url, { credentials: "same-origin", cache: "no-store", signal: patience, ...options, headers });
  }

  #refused(status, problem, quiet) {
    if (problem.code === "signed_out" || problem.code === "another_person") {
      this.view.bad(problem.code === "signed_out" ? "signed_out" : "another");
      this.away = true;
    } else if (status >= 500 || status === 429) {
      if (!quiet) this.#failed("unavailable");
    } else if (status === 413 || problem.problems?.some((each) => each.code === "too_large")) {
      this.tooLarge = problem.title || this.view.words.partly;
      this.view.bad("partly", problem.title);
    } else {
      // Closed, not allowed any more, unreadable: what was typed stays here and in the browser.
      this.stopped = status !== 422;
      if (this.stopped || !quiet) this.view.bad("partly", problem.title);
      this.view.notice.hidden = false;
    }
    return null;
  }

  #failed(kind) {
    this.view.bad(this.unkept ? "memory" : kind);
    this.#later(AGAIN[Math.min(this.failures, AGAIN.length - 1)]);
    this.failures += 1;
  }

  /** Back at the page, or back online: try again what waits. */
  #retry() {
    if (this.away) this.#refresh().then((back) => back && this.send());
    else if (this.waiting.length) this.send();
  }

  /** Ask for the state anew, with a token of the present session. True when this person may go on. */
  async #refresh() {
    let state;
    try {
      const response = await this.#fetch({});
      state = await response.json();
      if (!response.ok) {
        if (state.code === "signed_out") {
          this.view.bad("signed_out");
          this.away = true;
        } else {
          this.stopped = true;
          this.view.bad("partly", state.title);
          this.view.notice.hidden = false;
        }
        return false;
      }
    } catch {
      this.#failed("offline");
      return false;
    }
    if (state.person !== this.form.dataset.person) {
      this.view.bad("another");
      this.away = true;
      return false;
    }
    this.away = false;
    for (const input of document.querySelectorAll('input[name="csrf_token"]')) input.value = state.csrf;
    this.#heard(state);
    if (state.closed) {
      this.stopped = true;
      this.view.bad("partly", state.closed);
      this.view.notice.hidden = this.unsaved.length === 0;
      return false;
    }
    if (this.unsaved.length === 0) this.view.well(state.saved);
    return true;
  }

  // The buttons

  /** Everything is saved first; then the form is sent as without a script, and the server leads on. */
  async #submit(event) {
    if (event.submitter?.name === "choose") return;
    event.preventDefault();
    const then = event.submitter?.value ?? "stay";
    clearTimeout(this.timer);
    if (this.away && !(await this.#refresh())) return;
    if (!(await this.send())) {
      if (this.stopped || this.fields.some((field) => field.clash)) this.form.querySelector("[data-clash]")?.scrollIntoView();
      return;
    }
    const marks = Object.fromEntries(this.fields.map((field) => [field.key, field.base]));
    this.form.elements.marks.value = JSON.stringify(marks);
    if (this.form.elements.version) this.form.elements.version.value = this.version;
    const input = Object.assign(document.createElement("input"), { type: "hidden", name: "then", value: then });
    this.form.append(input);
    this.form.submit();
    input.remove();
  }
}

function labelOf(input) {
  const own = input.getAttribute("aria-label");
  const legend = input.closest("fieldset")?.querySelector("legend");
  const label = input.type === "radio" ? legend : input.labels?.[0];
  return (own ?? label?.textContent ?? input.name).trim();
}

for (const form of document.querySelectorAll("form[data-draft]")) {
  form.reset(); // what the browser fills in again by itself is not what the server has
  new Draft(form).start();
}
