// Extra questions that are asked only after certain answers: shown and hidden while the answers change.
// Without this script all of them are shown, each with its condition in words; the server decides in any case.

const number = (text) => {
  const plain = text.replace(/[\s\u00a0\u202f%₽]/g, "").replace(",", ".");
  return /^-?\d+(\.\d+)?$/.test(plain) ? Number(plain) : null;
};

/** The answers given to a question: codes of choices, yes/no, or the text of a number. */
const answers = (box) => {
  const given = [];
  for (const input of box.querySelectorAll("input, select, textarea")) {
    if (input.type === "checkbox") {
      if (input.checked) given.push(input.name.slice(input.name.indexOf(".") + 1));
    } else if (input.type === "radio") {
      if (input.checked) given.push(input.value);
    } else if (input.value.trim()) {
      given.push(input.value.trim());
    }
  }
  return given;
};

const holds = (box, subject) => {
  const given = answers(subject);
  const values = box.dataset.values.split(",");
  if (box.dataset.test === "greater") {
    const typed = given.length ? number(given[0]) : null;
    return typed !== null && typed > Number(values[0]);
  }
  return given.some((answer) =>
    values.some((value) => value === answer || (number(answer) !== null && number(answer) === number(value))),
  );
};

const boxes = new Map([...document.querySelectorAll("[data-question]")].map((box) => [box.dataset.question, box]));

const asked = (box) => {
  if (box.hasAttribute("data-out")) return false;
  if (!box.dataset.of) return true;
  const subject = boxes.get(box.dataset.of);
  return Boolean(subject) && asked(subject) && holds(box, subject);
};

/** A heading stands while one of the questions up to the next heading does. */
const headings = () => {
  for (const heading of document.querySelectorAll("[data-question-heading]")) {
    let next = heading.nextElementSibling;
    let any = false;
    while (next && !next.matches("[data-question-heading]")) {
      any ||= next.matches("[data-question]") && !next.hidden;
      next = next.nextElementSibling;
    }
    heading.hidden = !any;
  }
};

const refresh = () => {
  for (const box of boxes.values()) box.hidden = !asked(box);
  headings();
};

for (const note of document.querySelectorAll(".jp-question__when")) note.hidden = true;
document.addEventListener("input", refresh);
document.addEventListener("change", refresh);
window.addEventListener("pageshow", refresh);
refresh();
