// Uploads in parts: a broken connection, a new sign-in or a closed page loses nothing that has arrived.
// The forms work without this script; it takes them over and shows what the portal has really received.
import { initAll } from "../vendor/govuk-frontend.js";

const FIRST = 512 * 1024;
const LEAST = 64 * 1024;
const MOST = 4 * 1024 * 1024;
const WAITS = [1, 2, 4, 8, 15, 30, 30, 30];
const MEGABYTE = 1024 * 1024;

const texts = document.getElementById("upload-texts")?.dataset ?? {};
const status = document.getElementById("upload-status");
const transfers = new Set();
let turn = Promise.resolve();

/** A refusal that trying again does not change; the message is the portal's own sentence. */
class Refusal extends Error {
  constructor(message, field = "file") {
    super(message);
    this.field = field;
  }
}
class SignedOut extends Error {}
class Away extends Error {}

function key() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The digest where the browser offers it (secure pages only); null elsewhere. */
async function sha256(file) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function megabytes(bytes) {
  const language = document.documentElement.lang;
  return `${(bytes / MEGABYTE).toLocaleString(language, { maximumFractionDigits: 1, minimumFractionDigits: 1 })} ${texts.unit}`;
}

/** Waits, or less when the browser says that it is online again. */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", stop);
      resolve();
    };
    const stop = () => {
      end();
      reject(signal.reason);
    };
    const timer = setTimeout(end, seconds * 1000);
    addEventListener("online", end);
    signal.addEventListener("abort", stop);
  });
}

let token = "";
function csrf(box) {
  return token || box.querySelector("input[name=csrf_token]").value;
}

/** After a new sign-in the page's token is of no use any more: take it from a fresh page. */
async function renewToken() {
  const answer = await fetch(location.pathname, { credentials: "same-origin" }).catch(() => { throw new Away(); });
  if (answer.redirected) throw new SignedOut();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  token = page.querySelector("input[name=csrf_token]")?.value ?? "";
  if (!token) throw new SignedOut();
}

class Transfer {
  constructor(box, file) {
    this.box = box;
    this.file = file;
    this.begin = box.dataset.upload;
    this.address = null;
    this.received = 0;
    this.part = FIRST;
    this.ended = false;
    this.draw();
  }

  draw() {
    let list = this.box.querySelector(".jp-uploads");
    if (!list) {
      list = document.createElement("ul");
      list.className = "jp-uploads";
      this.box.append(list);
    }
    const id = `upload-${key()}`;
    this.row = document.createElement("li");
    this.row.className = "jp-upload__row";
    const name = document.createElement("span");
    name.className = "jp-upload__name";
    name.id = id;
    name.textContent = this.file.name;
    this.buttons = document.createElement("span");
    this.buttons.className = "jp-upload__buttons";
    this.bar = document.createElement("progress");
    this.bar.className = "jp-progress";
    this.bar.max = this.file.size || 1;
    this.bar.value = 0;
    this.bar.setAttribute("aria-labelledby", id);
    this.state = document.createElement("p");
    this.state.className = "jp-upload__state";
    this.row.append(name, this.buttons, this.bar, this.state);
    list.append(this.row);
    this.say(texts.waiting);
    this.offer(texts.cancel, () => this.cancel());
  }

  offer(label, act, more = false) {
    if (!more) this.buttons.replaceChildren();
    const button = document.createElement("button");
    button.type = "button";
    button.className = "govuk-button govuk-button--secondary jp-button--small";
    button.append(label);
    const hidden = document.createElement("span");
    hidden.className = "govuk-visually-hidden";
    hidden.textContent = ` ${this.file.name}`;
    button.append(hidden);
    button.addEventListener("click", act);
    this.buttons.append(button);
  }

  /** `kind`: "", "good" or "bad"; `aloud`: also for those who do not see the bar. */
  say(text, kind = "", aloud = false) {
    this.state.className = `jp-upload__state${kind ? ` jp-upload__state--${kind}` : ""}`;
    this.state.textContent = text
      .replace("{received}", megabytes(this.received))
      .replace("{size}", megabytes(this.file.size));
    if (aloud && status) status.textContent = `${this.file.name}: ${this.state.textContent}`;
  }

  /** What is shown is what the portal has confirmed. */
  arrived(received) {
    this.received = received;
    this.bar.value = received;
    this.say(texts.sending);
  }

  fields() {
    const date = this.box.querySelector("input[name=issued_on]");
    return date ? { issued_on: date.value } : {};
  }

  async ask(url, options = {}, again = true) {
    let answer;
    try {
      answer = await fetch(url, {
        credentials: "same-origin",
        signal: this.stop.signal,
        ...options,
        headers: { Accept: "application/json", "X-CSRFToken": csrf(this.box), ...options.headers },
      });
    } catch (error) {
      if (this.stop.signal.aborted) throw error;
      throw new Away();
    }
    const json = /json/.test(answer.headers.get("Content-Type") ?? "");
    if (answer.status === 401 || (answer.redirected && !json)) throw new SignedOut();
    if (answer.status === 400 && again && (!json || (await answer.clone().json()).code === "expired")) {
      await renewToken();
      return this.ask(url, options, false);
    }
    if (answer.status >= 500 || answer.status === 429) throw new Away();
    if (!answer.ok && !json) throw new Refusal(texts.failed);
    const body = json ? await answer.json() : {};
    if (body.csrf_token) token = body.csrf_token;
    return { answer, body };
  }

  async post(url, fields) {
    const body = new URLSearchParams({ idempotency_key: key(), ...fields });
    return this.ask(url, { method: "POST", body });
  }

  refuse({ answer, body }) {
    if (answer.ok) return;
    const problem = body.problems?.[0];
    throw new Refusal(body.problems?.map((each) => each.message).join(" ") || body.title || texts.failed, problem?.field);
  }

  async run() {
    if (this.ended) return;
    this.stop = new AbortController();
    let [tries, mark] = [0, this.received];
    while (!this.ended) {
      try {
        await this.go();
        return;
      } catch (error) {
        if (this.stop.signal.aborted) return;
        if (error instanceof SignedOut) return this.halt(texts.signedOut);
        if (!(error instanceof Away)) {
          return error instanceof Refusal && error.field !== "issued_on" ? this.fail(error.message) : this.halt(error.message);
        }
        if (this.received > mark) tries = 0;
        mark = this.received;
        if (tries >= WAITS.length) return this.halt(texts.failed);
        this.say(texts.lost, "bad", tries === 0);
        this.part = Math.max(LEAST, this.part >> 1);
        await pause(WAITS[tries++], this.stop.signal).catch(() => {});
      }
    }
  }

  async go() {
    if (this.file.size === 0) throw new Refusal(texts.empty);
    if (this.file.size > Number(texts.maximum)) throw new Refusal(texts.tooLarge);
    if (this.address === null) await this.announce();
    else await this.where();
    while (this.received < this.file.size) await this.next();
    this.say(texts.checking);
    const ended = await this.post(`${this.address}/finish`, this.fields());
    this.refuse(ended);
    this.ended = true;
    this.say(texts.done, "good", true);
    this.buttons.replaceChildren();
  }

  async announce() {
    if (this.digest === undefined) {
      this.say(texts.reading);
      this.digest = await sha256(this.file).catch(() => { throw new Refusal(texts.choose); });
    }
    const { code, participant = "", replaces = "" } = this.box.dataset;
    const begun = await this.post(this.begin, {
      code,
      participant,
      replaces,
      name: this.file.name,
      size: this.file.size,
      sha256: this.digest ?? "",
      fingerprint: `${this.file.name}|${this.file.size}|${this.file.lastModified}`,
      ...this.fields(),
    });
    this.refuse(begun);
    this.address = `${this.begin}/${begun.body.id}`;
    document.querySelector(`[data-unfinished="${begun.body.id}"]`)?.remove();
    this.arrived(begun.body.received);
  }

  /** Where it stands by the portal; an upload that it has forgotten begins anew. */
  async where() {
    const { answer, body } = await this.ask(this.address);
    if (answer.status === 404) {
      this.address = null;
      this.arrived(0);
      return this.announce();
    }
    this.refuse({ answer, body });
    this.arrived(body.received);
  }

  async next() {
    const from = this.received;
    let end = Math.min(from + this.part, this.file.size);
    if (this.file.size - end < LEAST) end = Math.min(this.file.size, from + MOST);
    const began = performance.now();
    const { answer, body } = await this.ask(this.address, {
      method: "PATCH",
      body: this.file.slice(from, end),
      headers: { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(from) },
    });
    const stands = answer.headers.get("Upload-Offset");
    if (answer.status === 409 && stands !== null) return this.arrived(Number(stands));
    if (answer.status === 422 && body.problems?.[0]?.code === "part_hash") return;
    this.refuse({ answer, body });
    this.arrived(body.received);
    // A part should take a few seconds: shorter ones are lost to the way there and back, longer ones to a broken line.
    const seconds = (performance.now() - began) / 1000;
    if (seconds < 2) this.part = Math.min(MOST, this.part * 2);
    else if (seconds > 6) this.part = Math.max(LEAST, this.part >> 1);
  }

  /** It can go on: the person says when. */
  halt(message) {
    this.say(message, "bad", true);
    this.row.dataset.halted = "";
    this.offer(texts.continue, () => {
      delete this.row.dataset.halted;
      this.offer(texts.cancel, () => this.cancel());
      enqueue(this);
    });
    this.offer(texts.cancel, () => this.cancel(), true);
  }

  /** It cannot: the portal has said why, and keeps nothing. */
  fail(message) {
    this.ended = true;
    this.forget();
    this.bar.hidden = true;
    this.say(message, "bad", true);
    this.offer(texts.dismiss, () => this.row.remove());
  }

  cancel() {
    this.ended = true;
    delete this.row.dataset.halted;
    this.stop?.abort();
    this.say(texts.cancelled, "", true);
    this.offer(texts.dismiss, () => this.row.remove());
    transfers.delete(this);
    this.forget();
  }

  /** Nothing is left at the portal of what does not become a document. */
  forget() {
    const address = this.address;
    if (!address) return;
    this.address = null;
    this.stop = new AbortController();
    this.post(`${address}/discard`, {}).catch(() => {});
  }
}

/** One after the other: a slow line is not shared by many. */
function enqueue(transfer) {
  transfers.add(transfer);
  turn = turn.then(async () => {
    await transfer.run();
    transfers.delete(transfer);
    await renew(transfer.box);
  });
}

/** Shows the document as it is now, once nothing of its card is on its way; what went wrong there stays to be read. */
async function renew(box) {
  const card = box.closest("section[id]");
  if (!card?.querySelector(".jp-upload__state--good") || card.querySelector("[data-halted]")) return;
  if ([...transfers].some((each) => card.contains(each.box))) return;
  const answer = await fetch(location.pathname, { credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const focused = card.contains(document.activeElement);
  const failed = [...card.querySelectorAll(".jp-upload__row")].filter((row) => row.querySelector(".jp-upload__state--bad"));
  for (const selector of [`#${CSS.escape(card.id)}`, "#glance", ".jp-side"]) {
    const [old, fresh] = [document.querySelector(selector), page.querySelector(selector)];
    if (!old || !fresh) continue;
    old.replaceWith(fresh);
    initAll({ scope: fresh });
  }
  if (failed.length) {
    const list = document.createElement("ul");
    list.className = "jp-uploads";
    list.append(...failed);
    document.querySelector(`#${CSS.escape(card.id)} > [data-upload]`)?.append(list);
  }
  if (focused) document.getElementById(`${card.id}-file`)?.focus();
}

document.addEventListener("submit", (event) => {
  const box = event.target.closest("[data-upload]");
  if (!box) return;
  event.preventDefault();
  const input = box.querySelector("input[type=file]");
  if (!input.files.length) {
    if (status) status.textContent = texts.choose;
    input.focus();
    return;
  }
  for (const file of [...input.files]) enqueue(new Transfer(box, file));
  input.value = "";
});

// Files dropped on a document are chosen for it; the person still presses "Upload".
const target = (event) => event.target.closest?.(".jp-document");
const carries = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!carries(event)) return;
  event.preventDefault();
  for (const each of document.querySelectorAll(".jp-document--drop")) each.classList.remove("jp-document--drop");
  target(event)?.classList.add("jp-document--drop");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) target(event)?.classList.remove("jp-document--drop");
});
document.addEventListener("drop", (event) => {
  if (!carries(event)) return;
  event.preventDefault();
  const card = target(event);
  card?.classList.remove("jp-document--drop");
  const input = card?.querySelector("[data-upload]:not([data-replaces]) input[type=file]");
  if (!input) return;
  input.files = event.dataTransfer.files;
  input.focus();
});

addEventListener("beforeunload", (event) => {
  if (transfers.size) event.preventDefault();
});
