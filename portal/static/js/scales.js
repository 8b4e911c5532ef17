// Scales drawn while they are edited, and the formula of the metric that is chosen. The shapes and their places are
// those of portal/web/scales.py; without this script the picture is that of what was saved.

const LEFT = 24;
const RIGHT = 250;
const TOP = 10;
const BOTTOM = 88;
const MARGIN = 0.12;
const SVG = "http://www.w3.org/2000/svg";

const number = (text) => {
  const plain = text.replace(/[\s\u00a0\u202f]/g, "").replace(",", ".");
  return /^-?\d+(\.\d+)?$/.test(plain) ? Number(plain) : null;
};

/** The readable points of a fieldset, by value; null while there are too few or two at one value. */
const pointsOf = (box, kind) => {
  const found = [];
  for (const first of box.querySelectorAll('input[name*="-scale-points-"][name$="-0"]')) {
    const second = box.querySelector(`input[name="${first.name.slice(0, -1)}1"]`);
    const value = number(first.value);
    const points = second ? number(second.value) : null;
    if (value !== null && points !== null && points >= 0 && points <= 10) found.push([value, points]);
  }
  found.sort((one, other) => one[0] - other[0]);
  const twice = found.some(([value], at) => at > 0 && found[at - 1][0] === value);
  return twice || found.length < (kind === "linear" ? 2 : 1) ? null : found;
};

const element = (name, attributes, text = "") => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};

const draw = (box) => {
  const picture = box.querySelector("[data-curve]");
  if (!picture) return;
  const kind = box.querySelector("[data-kind]").value;
  const points = kind === "yes_no" ? null : pointsOf(box, kind);
  picture.toggleAttribute("hidden", points === null);
  if (points === null) return;
  const steps = kind === "bands";
  const margin = (points.at(-1)[0] - points[0][0]) * MARGIN || 1;
  const low = points[0][0] - margin;
  const high = points.at(-1)[0] + margin;
  const place = ([value, score]) => [
    (LEFT + ((value - low) / (high - low)) * (RIGHT - LEFT)).toFixed(1),
    (BOTTOM - (score / 10) * (BOTTOM - TOP)).toFixed(1),
  ];
  const falls = points[0][1] > points.at(-1)[1];
  const corners = [[low, steps && !falls ? 0 : points[0][1]]];
  for (const [value, score] of points) {
    if (steps) corners.push([value, corners.at(-1)[1]]);
    corners.push([value, score]);
  }
  corners.push([high, points.at(-1)[1]]);
  const line = corners.map((corner) => place(corner).join(",")).join(" ");
  picture.querySelector(".jp-curve__line").setAttribute("points", line);
  picture.querySelector(".jp-curve__area").setAttribute("points", `${LEFT},${BOTTOM} ${line} ${RIGHT},${BOTTOM}`);
  const shown = new Intl.NumberFormat(document.documentElement.lang);
  const marks = points.flatMap((point) => {
    const [x, y] = place(point);
    return [
      element("circle", { cx: x, cy: y, r: 3.5 }),
      element("text", { x, y: BOTTOM + 16, "text-anchor": "middle" }, shown.format(point[0])),
    ];
  });
  picture.querySelector(".jp-curve__marks").replaceChildren(...marks);
};

const formulas = document.getElementById("formulas");

const explain = (box) => {
  const chosen = box.querySelector("[data-metric]").value;
  const formula = formulas?.content.querySelector(`[data-name="${CSS.escape(chosen)}"]`);
  box.querySelector("[data-formula]").textContent = formula ? formula.textContent : "";
};

for (const box of document.querySelectorAll("[data-scale]")) {
  box.addEventListener("input", () => {
    draw(box);
    explain(box);
  });
  draw(box);
}
