// Makes pages more comfortable; every page works without it.
import { initAll } from "../vendor/govuk-frontend.js";
import "./kept.js";

document.body.classList.add("js-enabled", "govuk-frontend-supported");
initAll();

// Fragments that htmx brings in get the same components.
document.addEventListener("htmx:after:swap", ({ target }) => {
  if (target.parentElement?.isConnected) initAll({ scope: target.parentElement });
});

// An open menu closes on Escape and on a click elsewhere.
const menus = () => document.querySelectorAll("details[data-menu][open]");
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
});

// Totals of a table of amounts, while typing. The server adds up again; this is only what the reader sees.
const NBSP = "\u00a0";

/** Kopecks of what was typed ("1 234,5", "1234.50"), 0n for an empty field, null for what is no amount. */
function kopecks(text) {
  const plain = text.replace(/[\s\u00a0\u202f]/g, "").replace(",", ".");
  if (plain === "") return 0n;
  const match = /^(\d{1,15})(?:\.(\d{1,2}))?$/.exec(plain);
  return match ? BigInt(match[1]) * 100n + BigInt((match[2] ?? "").padEnd(2, "0")) : null;
}

function amount(sum, language) {
  const [group, point] = language === "ru" ? [NBSP, ","] : [",", "."];
  const roubles = String(sum / 100n).replace(/\B(?=(\d{3})+$)/g, group);
  return roubles + point + String(sum % 100n).padStart(2, "0");
}

function addUp(table) {
  const sums = new Map();
  for (const input of table.querySelectorAll("input[data-row]")) {
    const value = kopecks(input.value);
    for (const key of [`row:${input.dataset.row}`, `column:${input.dataset.column}`, "all"]) {
      const sum = sums.get(key);
      sums.set(key, value === null || sum === null ? null : (sum ?? 0n) + value);
    }
  }
  for (const output of table.querySelectorAll("output[data-total]")) {
    const sum = sums.get(output.dataset.total) ?? null;
    output.value = sum === null ? "—" : amount(sum, document.documentElement.lang);
  }
}

document.addEventListener("input", (event) => {
  const table = event.target.closest?.("[data-adds-up]");
  if (table) addUp(table);
});
