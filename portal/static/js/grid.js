// Tables of numbers as in a spreadsheet: arrows, Enter, Home and End move between cells, and a block copied from a
// spreadsheet can be pasted. The cells stay ordinary inputs: Tab goes on, and the form works without this file.
// Each changed cell sends an `input` event of its own, so that whoever listens (totals, autosave) hears of it.

const DASHES = /^[-\u2012-\u2015\u2212]$/;
const SPACES = /[\s\u00a0\u2009\u202f]/g;
const NUMBER = /^[-\u2212]?\d+(?:[.,]\d+)?$/;
const NAMED = 12;

const grids = document.querySelectorAll("table[data-grid]");
const undoable = new WeakMap();

const inputsOf = (table) => [...table.querySelectorAll("input[data-row]")];
const distinct = (table, key) => [...new Set(inputsOf(table).map((input) => input.dataset[key]))];

/** The cells by row and column, in the order of the page. */
function cellsOf(table) {
  const columns = distinct(table, "column");
  return distinct(table, "row").map((row) =>
    columns.map((column) => inputsOf(table).find((input) => input.dataset.row === row && input.dataset.column === column)),
  );
}

function placeOf(cells, input) {
  const row = cells.findIndex((line) => line.includes(input));
  return { row, column: cells[row].indexOf(input) };
}

function go(input) {
  input.focus();
  input.select();
}

const atStart = (input) => input.selectionStart === 0;
const atEnd = (input) => input.selectionEnd === input.value.length;

/** Down the column, then to the top of the next one; the last cell keeps the focus. */
const below = (cells, row, column) =>
  cells[row + 1]?.[column] ?? cells[0][column + 1] ?? cells[row][column];
const above = (cells, row, column) =>
  cells[row - 1]?.[column] ?? cells.at(-1)[column - 1] ?? cells[row][column];

/** The cell to which a key leads, or undefined where the key keeps its ordinary meaning. */
function target(cells, input, event) {
  const { row, column } = placeOf(cells, input);
  const last = { row: cells.length - 1, column: cells[row].length - 1 };
  const far = event.ctrlKey || event.metaKey;
  switch (event.key) {
    case "ArrowUp":
      return cells[far ? 0 : Math.max(row - 1, 0)][column];
    case "ArrowDown":
      return cells[far ? last.row : Math.min(row + 1, last.row)][column];
    case "ArrowLeft":
      if (far) return cells[row][0];
      return atStart(input) && !event.shiftKey ? cells[row][Math.max(column - 1, 0)] : undefined;
    case "ArrowRight":
      if (far) return cells[row][last.column];
      return atEnd(input) && !event.shiftKey ? cells[row][Math.min(column + 1, last.column)] : undefined;
    case "Home":
      if (far) return cells[0][0];
      return atStart(input) && !event.shiftKey ? cells[row][0] : undefined;
    case "End":
      if (far) return cells[last.row][last.column];
      return atEnd(input) && !event.shiftKey ? cells[row][last.column] : undefined;
    case "Enter":
      return event.shiftKey ? above(cells, row, column) : below(cells, row, column);
    default:
      return undefined;
  }
}

function onKey(table, event) {
  const input = event.target;
  if (!input.matches?.("input[data-row]") || event.altKey || event.isComposing) return;
  if (event.key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey && undoable.get(table)?.fresh) {
    event.preventDefault();
    undo(table);
    return;
  }
  if (event.key === "Escape" && input.value !== input.dataset.before && input.dataset.before !== undefined) {
    set(input, input.dataset.before);
    return;
  }
  const cell = target(cellsOf(table), input, event);
  if (!cell) return;
  // Enter in a cell never sends the form: the person is in the middle of a table.
  event.preventDefault();
  if (cell !== input) go(cell);
}

function set(input, value) {
  if (input.value === value) return false;
  input.value = value;
  input.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertFromPaste" }));
  return true;
}

/** Rows of texts from what a spreadsheet puts on the clipboard: tabs, lines, and quoted cells. */
function rowsOf(text) {
  const rows = [[""]];
  let quoted = false;
  const body = text.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  for (let at = 0; at < body.length; at += 1) {
    const sign = body[at];
    const row = rows.at(-1);
    if (quoted && sign === '"' && body[at + 1] === '"') {
      row[row.length - 1] += '"';
      at += 1;
    } else if (sign === '"' && (quoted || row.at(-1) === "")) {
      quoted = !quoted;
    } else if (!quoted && sign === "\t") row.push("");
    else if (!quoted && sign === "\n") rows.push([""]);
    else row[row.length - 1] += sign;
  }
  return quoted ? body.split("\n").map((line) => line.split("\t")) : rows;
}

/** A number as the form takes it: "1 234,50 ₽" is "1234,50"; a dash is an empty cell; other texts stay. */
function tidy(text) {
  const plain = text.replace(/[\u00a0\u2009\u202f]/g, " ").trim();
  if (DASHES.test(plain)) return "";
  const bare = plain.replace(/^RUB\s*|\s*(?:₽|руб\.?|р\.|%)$/giu, "");
  let figure = bare.replace(SPACES, "").replace("\u2212", "-");
  if (/^\((.*)\)$/.test(figure)) figure = `-${figure.slice(1, -1)}`;
  // "1,234,567.89": commas that can only be thousands.
  if (/^-?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/.test(figure) && (figure.includes(".") || figure.indexOf(",") !== figure.lastIndexOf(","))) {
    figure = figure.replaceAll(",", "");
  }
  return NUMBER.test(figure) ? figure : plain;
}

const isNumber = (text) => NUMBER.test(tidy(text));

/** The block without a heading row and a column of names, and how many of them were left out. */
function withoutHeadings(rows, table) {
  const columns = new Set(distinct(table, "column"));
  const filled = (cells) => cells.filter((cell) => cell.trim() !== "");
  let body = rows;
  let left = 0;
  const first = filled(body[0]);
  if (body.length > 1 && first.length > 1 && first.every((cell) => columns.has(cell.trim()) || !isNumber(cell)) ) {
    body = body.slice(1);
    left += 1;
  }
  while (body.length > 1 && body[0].length > 1) {
    const names = filled(body.map((row) => row[0]));
    if (names.length === 0 || names.some((cell) => isNumber(cell) || DASHES.test(cell.trim()))) break;
    body = body.map((row) => row.slice(1));
    left += 1;
    if (body.some((row) => row.length === 0)) break;
  }
  return { body, left };
}

function onPaste(table, event) {
  const input = event.target;
  const text = event.clipboardData?.getData("text/plain") ?? "";
  if (!input.matches?.("input[data-row]") || !/[\t\n\r]/.test(text)) return;
  event.preventDefault();
  const rows = rowsOf(text);
  if (rows.length === 1 && rows[0].length === 1) {
    input.setRangeText(tidy(rows[0][0]), input.selectionStart, input.selectionEnd, "end");
    input.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertFromPaste" }));
    return;
  }
  const { body, left } = withoutHeadings(rows, table);
  const cells = cellsOf(table);
  const from = placeOf(cells, input);
  const done = { changes: [], filled: 0, outside: [], unread: [], emptied: 0, left };
  // While the cells change, the paste is not yet something a keystroke made stale.
  undoable.delete(table);
  body.forEach((row, down) => row.forEach((value, right) => place(cells, from, down, right, value, done)));
  if (done.changes.length) undoable.set(table, { changes: done.changes, fresh: true });
  tell(table, done);
}

function place(cells, from, down, right, value, done) {
  const cell = cells[from.row + down]?.[from.column + right];
  const figure = tidy(value);
  if (!cell) {
    if (value.trim() !== "") done.outside.push(value.trim());
    return;
  }
  const before = cell.value;
  if (!set(cell, figure)) {
    if (figure !== "") done.filled += 1;
    return;
  }
  done.changes.push({ cell, before, after: figure });
  if (figure === "") done.emptied += 1;
  else done.filled += 1;
  if (figure !== "" && !NUMBER.test(figure)) done.unread.push(`${cell.getAttribute("aria-label")}: ${figure}`);
}

function undo(table) {
  const held = undoable.get(table);
  if (!held) return;
  undoable.delete(table);
  const kept = held.changes.filter(({ cell, after }) => cell.value !== after);
  for (const { cell, before, after } of held.changes) if (cell.value === after) set(cell, before);
  const box = noteOf(table);
  box.replaceChildren(line(kept.length ? `${box.dataset.undone} ${box.dataset.kept.replace("{n}", kept.length)}` : box.dataset.undone));
  if (!table.contains(document.activeElement)) go(held.changes[0].cell);
}

const noteOf = (table) => document.getElementById(table.dataset.grid);

function line(text) {
  const paragraph = document.createElement("p");
  paragraph.className = "govuk-body";
  paragraph.textContent = text;
  return paragraph;
}

const some = (texts) => texts.slice(0, NAMED).join("; ") + (texts.length > NAMED ? "; …" : "");

/** Says what a paste did, with a button that takes it back; announced, because the box is a status. */
function tell(table, done) {
  const box = noteOf(table);
  const say = (key, number, texts) => line(box.dataset[key].replace("{n}", number).replace("{list}", () => some(texts ?? [])));
  const lines = [say("filled", done.filled)];
  if (done.emptied) lines.push(say("emptied", done.emptied));
  if (done.left) lines.push(say("headings", done.left));
  if (done.outside.length) lines.push(say("outside", done.outside.length, done.outside));
  if (done.unread.length) lines.push(say("unread", done.unread.length, done.unread));
  box.hidden = false;
  box.classList.toggle("jp-grid-note--attention", Boolean(done.outside.length || done.unread.length));
  box.replaceChildren(...lines);
  if (!done.changes.length) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "govuk-button govuk-button--secondary jp-button--small";
  button.textContent = box.dataset.undo;
  button.addEventListener("click", () => undo(table));
  box.append(button);
}

for (const table of grids) {
  table.addEventListener("keydown", (event) => onKey(table, event));
  table.addEventListener("paste", (event) => onPaste(table, event));
  table.addEventListener("focusin", ({ target: input }) => {
    if (input.matches?.("input[data-row]")) input.dataset.before = input.value;
  });
  table.addEventListener("input", () => {
    const held = undoable.get(table);
    if (held) held.fresh = false;
  });
  const help = document.getElementById(`${table.dataset.grid}-help`);
  if (help) help.hidden = false;
}
