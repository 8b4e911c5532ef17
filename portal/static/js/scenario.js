// The sum of a scenario's weights while they are typed. Without this file the server says so when the form is sent.

const SPACES = /[\s\u00a0\u2009\u202f]/g;
const form = document.querySelector("form[data-scenario]");
const output = form?.querySelector("[data-weights]");
const inputs = form ? [...form.querySelectorAll("input[data-weight]")] : [];
const locale = document.documentElement.lang || "ru";

/** Hundredths, so that sums are exact; NaN for what is no number. */
const hundredths = (text) => Math.round(Number(text.replace(SPACES, "").replace(",", ".") || "NaN") * 100);

function show() {
  const total = inputs.reduce((sum, input) => sum + hundredths(input.value), 0);
  output.textContent = Number.isNaN(total) ? "—" : (total / 100).toLocaleString(locale, { maximumFractionDigits: 2 });
  output.classList.toggle("jp-weights--off", total !== 10000);
}

if (output) {
  form.addEventListener("input", show);
  show();
}
document.getElementById("looked")?.focus();
