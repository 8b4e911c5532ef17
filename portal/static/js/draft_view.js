// What a section's page shows about saving: the corner, the notice, messages at fields, and clashes.

export class View {
  constructor(form) {
    this.form = form;
    this.words = JSON.parse(form.dataset.words);
    this.corner = form.querySelector("[data-draft-state]");
    this.live = form.querySelector("[data-draft-live]");
    this.notice = form.querySelector("[data-draft-notice]");
    this.others = document.querySelector("[data-draft-others]");
    this.clashes = form.querySelector("[data-draft-clashes]");
    this.pattern = form.querySelector("template[data-draft-clash]");
    this.trouble = "";
  }

  /** All is well: `text` stands in the corner. Said aloud only when something was in the way before. */
  well(text) {
    if (text) this.corner.textContent = text;
    this.corner.classList.remove("jp-saved--waiting", "jp-saved--bad");
    this.corner.classList.toggle("jp-saved--none", !this.corner.textContent);
    this.notice.hidden = true;
    if (this.trouble) this.say(this.words.saved);
    this.trouble = "";
  }

  /** On its way: shown, not said. */
  waiting(name) {
    if (this.trouble) return;
    this.corner.textContent = this.words[name];
    this.corner.classList.remove("jp-saved--none", "jp-saved--bad");
    this.corner.classList.add("jp-saved--waiting");
  }

  /** Something is in the way; each kind of trouble is said once. `detail`: the server's own words. */
  bad(name, detail = "") {
    const text = detail || this.words[name];
    this.corner.textContent = text;
    this.corner.classList.remove("jp-saved--none", "jp-saved--waiting");
    this.corner.classList.add("jp-saved--bad");
    this.notice.hidden = name === "partly";
    this.notice.querySelector("[data-draft-said]").textContent = text;
    this.notice.querySelector("[data-draft-sign-in]").hidden = name !== "signed_out";
    if (this.trouble !== name + detail) this.say(text);
    this.trouble = name + detail;
  }

  say(text) {
    this.live.textContent = "";
    setTimeout(() => (this.live.textContent = text), 100);
  }

  present(text) {
    if (!this.others || this.others.textContent === text) return;
    this.others.textContent = text;
    this.others.hidden = !text;
  }

  /** The message at a field, as the server's own macros write it; "" takes it away. */
  message(field, text) {
    const control = field.inputs[0];
    const id = `${field.name}-error`;
    const old = document.getElementById(id);
    const group = control.closest(".govuk-form-group");
    if ((old?.dataset.text ?? null) === text || (!text && !old)) return;
    old?.remove();
    const radios = control.type === "radio" || control.type === "checkbox";
    const described = radios ? control.closest("fieldset") ?? control : control;
    const ids = (described.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each && each !== id);
    if (text) ids.push(id);
    described.toggleAttribute("aria-describedby", ids.length > 0);
    if (ids.length) described.setAttribute("aria-describedby", ids.join(" "));
    if (text && !radios) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
    group?.classList.toggle("govuk-form-group--error", Boolean(text));
    const kind = { TEXTAREA: "textarea", SELECT: "select" }[control.tagName] ?? "input";
    if (!radios) control.classList.toggle(`govuk-${kind}--error`, Boolean(text));
    if (text) this.#put(control, group, id, text);
    else this.#unlist(control);
  }

  /** What is right again leaves the summary on top of the page. */
  #unlist(control) {
    const link = document.querySelector(`.govuk-error-summary a[href="#${CSS.escape(control.id)}"]`);
    const summary = link?.closest(".govuk-error-summary");
    link?.closest("li").remove();
    if (summary && !summary.querySelector("li")) summary.remove();
  }

  #put(control, group, id, text) {
    const message = document.createElement(group ? "p" : "span");
    message.className = group ? "govuk-error-message" : "jp-grid-error";
    message.id = id;
    message.dataset.text = text;
    const hidden = document.createElement("span");
    hidden.className = "govuk-visually-hidden";
    hidden.textContent = `${this.words.error}: `;
    message.append(hidden, text);
    const place = control.closest(".govuk-input__wrapper, .govuk-radios, .govuk-checkboxes") ?? control;
    if (group) place.before(message);
    else place.after(message);
  }

  /** A field that two people changed, with `choose("mine" | "theirs")` behind its buttons. */
  clash(field, found, choose) {
    this.clashes.querySelector(`[data-clash="${CSS.escape(field.key)}"]`)?.remove();
    const box = this.pattern.content.cloneNode(true).querySelector("[data-clash]");
    box.dataset.clash = field.key;
    box.id = `clash-${field.name}`;
    box.querySelector("[data-clash-label]").textContent = found.label;
    box.querySelector("[data-clash-said]").textContent = found.said;
    box.querySelector("[data-clash-yours]").textContent = found.yours || this.words.empty;
    box.querySelector("[data-clash-theirs]").textContent = found.theirs || this.words.empty;
    for (const button of box.querySelectorAll("button")) {
      button.type = "button";
      button.removeAttribute("data-prevent-double-click");
      const hint = button.querySelector("span");
      if (hint) hint.textContent = ` ${found.label}`;
      button.addEventListener("click", () => choose(button.value.split(":")[0]));
    }
    this.clashes.append(box);
    this.clashes.hidden = false;
  }

  settled(field) {
    this.clashes.querySelector(`[data-clash="${CSS.escape(field.key)}"]`)?.remove();
    this.clashes.hidden = !this.clashes.querySelector("[data-clash]");
  }
}
