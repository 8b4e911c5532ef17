// Tables of numbers on a phone: one line at a time, and no empty years before the project's first one. On a wider
// screen the buttons are not shown and nothing is hidden (components.css); without this file everything is open.

/** The cells of a line, which stand beside its name or in the row below it. */
const cellsOf = (name) => {
  const beside = [...name.parentElement.querySelectorAll("td")];
  return beside.length ? beside : [...(name.parentElement.nextElementSibling?.querySelectorAll("td") ?? [])];
};

const button = (kind) => {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  return made;
};

function lineOf(table, name) {
  const cells = cellsOf(name);
  const inputs = cells.flatMap((cell) => [...cell.querySelectorAll("input")]);
  if (!inputs.length) return;
  const toggle = button("jp-line jp-chevron");
  const row = cells[0].parentElement;
  const open = (wide) => {
    toggle.setAttribute("aria-expanded", String(wide));
    row.classList.toggle("jp-line--closed", !wide);
  };
  const count = () => {
    const filled = inputs.filter((input) => input.value.trim() !== "").length;
    row.classList.toggle("jp-line--empty", filled === 0);
    toggle.textContent = table.dataset.lines.replace("{n}", filled).replace("{total}", inputs.length);
  };
  toggle.addEventListener("click", () => open(toggle.getAttribute("aria-expanded") !== "true"));
  row.addEventListener("input", count);
  row.addEventListener("jp:open", () => open(true));
  count();
  open(Boolean(name.querySelector(".jp-grid-error") || row.querySelector("[aria-invalid]")));
  name.append(toggle);
}

function hideEarly(table) {
  const more = button("jp-early jp-button--link");
  more.textContent = table.dataset.early;
  const show = () => {
    table.classList.remove("jp-grid-table--later");
    more.remove();
  };
  more.addEventListener("click", () => {
    show();
    table.querySelector(".jp-line")?.focus();
  });
  table.addEventListener("jp:open", (event) => event.target.closest("td[data-early]") && show());
  table.classList.add("jp-grid-table--later");
  table.before(more);
}

/** A link of the error summary leads to a cell: its line opens first. */
function reveal(id) {
  const cell = id ? document.getElementById(id)?.closest("table[data-lines] td") : null;
  cell?.dispatchEvent(new CustomEvent("jp:open", { bubbles: true }));
}

for (const table of document.querySelectorAll("table[data-lines]")) {
  for (const name of table.querySelectorAll('tbody th[scope="row"]')) lineOf(table, name);
  if (table.dataset.early) hideEarly(table);
}
document.addEventListener(
  "click",
  ({ target }) => {
    const link = target.closest?.('a[href^="#"]');
    if (link) reveal(decodeURIComponent(link.hash.slice(1)));
  },
  true,
);
reveal(decodeURIComponent(location.hash.slice(1)));
