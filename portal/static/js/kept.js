// Texts that have not reached the server, kept in this browser: by person, page and tab. They go when the server
// has confirmed them, when their person signs out, and after a month. Nobody but their person is shown them.

const PREFIX = "jp-kept:";
const MONTH = 30 * 24 * 3600 * 1000;

export const person = document.body.dataset.person ?? "";
/** This page's own name among the pages that are open in this browser. */
export const tab = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("");
/** The page that was open in this tab before: a reloaded page goes on where it stopped. */
const before = remembered("jp-tab");
try {
  sessionStorage.setItem("jp-tab", tab);
} catch {
  // Without storage nothing is kept, and the page says so.
}
// A lock ends with its page, so that others can tell the living from the dead.
navigator.locks?.request(PREFIX + tab, () => new Promise(() => {}));

function remembered(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

const keyOf = (path, owner = tab) => [PREFIX + person, path, owner].join("|");

/** Keep the fields of a page; `entry`: {title, fields: {key: {value, label, ...}}}. False where the browser keeps nothing. */
export function keep(path, entry) {
  if (!person) return false;
  try {
    localStorage.setItem(keyOf(path), JSON.stringify({ ...entry, at: Date.now() }));
    return true;
  } catch {
    return false;
  }
}

/** Forget what this page, or another one by its storage key, has kept. */
export function drop(path, key = keyOf(path)) {
  try {
    localStorage.removeItem(key);
  } catch {
    // Nothing was kept.
  }
}

/** What the person's pages have kept, oldest first: {key, path, owner, title, at, fields}. Old entries are forgotten. */
export function all() {
  const found = [];
  let names = [];
  try {
    names = Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
  } catch {
    return found;
  }
  for (const key of names) {
    let entry = null;
    try {
      entry = JSON.parse(localStorage.getItem(key));
    } catch {
      // Unreadable: forgotten below.
    }
    if (!entry?.fields || Date.now() - entry.at > MONTH) {
      drop("", key);
      continue;
    }
    const [whose, path, owner] = key.split("|");
    if (person && whose === PREFIX + person) found.push({ key, path, owner, ...entry });
  }
  return found.sort((one, other) => one.at - other.at);
}

/** What pages that are closed have kept, for one path or for all of them. */
export async function left(path = "") {
  let alive = new Set([PREFIX + tab]);
  try {
    const { held } = await navigator.locks.query();
    alive = new Set([...alive, ...held.map((lock) => lock.name)]);
  } catch {
    // Without locks every other page counts as closed.
  }
  alive.delete(PREFIX + before);
  return all().filter((entry) => (!path || entry.path === path) && !alive.has(PREFIX + entry.owner));
}

// A person who signs out takes everything along: first it is sent, then what is left is told, then forgotten.
const lastTries = [];

/** Have `send` (async) called before the person signs out. */
export const beforeSignOut = (send) => lastTries.push(send);

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-sign-out]");
  if (!form || all().length === 0) return;
  event.preventDefault();
  await Promise.allSettled(lastTries.map((send) => send()));
  if (all().length > 0 && !window.confirm(form.dataset.signOut)) return;
  for (const { key } of all()) drop("", key);
  form.submit();
});

/** The labels and texts of an entry as rows of a summary list. */
function rows(fields) {
  return Object.values(fields).map(({ label, value }) => {
    const row = document.createElement("div");
    const [term, text] = [document.createElement("dt"), document.createElement("dd")];
    row.className = "govuk-summary-list__row govuk-summary-list__row--no-actions";
    term.className = "govuk-summary-list__key";
    text.className = "govuk-summary-list__value jp-typed";
    term.textContent = label;
    text.textContent = value;
    row.append(term, text);
    return row;
  });
}

/** Show entries in their panel; nothing to show hides it. */
export function list(panel, entries) {
  for (const old of panel.querySelectorAll("article")) old.remove();
  for (const entry of entries) {
    const article = panel.querySelector("template").content.cloneNode(true).querySelector("article");
    const link = article.querySelector("[data-kept-link]");
    link.textContent = entry.title;
    link.href = entry.path;
    article.querySelector("[data-kept-fields]").append(...rows(entry.fields));
    article.querySelector("[data-kept-drop]").addEventListener("click", () => {
      drop("", entry.key);
      article.remove();
      panel.hidden = !panel.querySelector("article");
    });
    panel.append(article);
  }
  panel.hidden = entries.length === 0;
}

for (const panel of document.querySelectorAll("[data-kept-list]")) {
  left(panel.dataset.keptList).then((entries) => list(panel, entries));
}

// A form that was refused because its session had ended: its texts wait in this tab, and come back into the form
// when the same person has signed in again. (Sections of applications have their own way: draft.js.)

const SENDER = "jp-sender";
const BACK = "jp-back";

document.addEventListener("submit", (event) => {
  if (!person || event.target.method !== "post") return;
  try {
    sessionStorage.setItem(SENDER, person);
  } catch {
    // Without storage nothing comes back by itself; the page that refuses the form still shows it whole.
  }
});

function refused(form) {
  const sender = remembered(SENDER);
  if (person || !sender || !form.dataset.resend) return;
  const fields = [...new FormData(form)].filter(([name]) => !["csrf_token", "idempotency_key", "version"].includes(name));
  try {
    sessionStorage.setItem(BACK, JSON.stringify({ person: sender, page: form.dataset.resend, said: form.dataset.resendBack, fields }));
    document.querySelector("[data-resend-hint]").textContent = form.dataset.resendKept;
  } catch {
    // As above.
  }
}

function comesBack() {
  const back = JSON.parse(remembered(BACK) ?? "null");
  if (!back || !person || back.page !== location.pathname) return;
  sessionStorage.removeItem(BACK);
  if (back.person !== person) return;
  const names = back.fields.map(([name]) => name);
  const fits = (form) => names.filter((name) => form.elements.namedItem(name)).length;
  const [form] = [...document.querySelectorAll("main form[method=post]:not([data-draft])")].sort((a, b) => fits(b) - fits(a));
  if (!form || fits(form) === 0) return;
  for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = false;
  for (const [name, value] of back.fields) {
    for (const input of form.querySelectorAll(`[name="${CSS.escape(name)}"]:not([type=hidden]):not([type=file])`)) {
      if (input.type === "radio" || input.type === "checkbox") input.checked ||= input.value === value;
      else input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }
  const note = document.createElement("div");
  note.className = "govuk-inset-text jp-inset--warning";
  note.setAttribute("role", "status");
  note.textContent = back.said;
  form.before(note);
}

const resend = document.querySelector("form[data-resend]");
if (resend) refused(resend);
else comesBack();
