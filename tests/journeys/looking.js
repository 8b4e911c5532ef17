// What test_axe.py puts into every page: `findFaults` runs axe, which `readAxe` makes, so that pages that nobody asks
// about do not run it.
//
// Contrast is half of axe's time, and most of a page looks as something on another page does. So a text has a key: what
// style sheets ask for of itself and of all around it, and what stands before it. A text whose key was found right in
// this tab, at this width, is not computed again, and of several with one key on a page only the first is.

const ASKED = [
  "class", "role", "type", "style", "scope", "rel", "fill", "stroke", "hidden", "open", "disabled", "readonly",
  "aria-current", "aria-disabled", "aria-expanded", "aria-selected", "data-early", "data-label", "data-lines", "data-sum",
];
const NAMED = new Set(["data-label"]); // whatever they say
const KEPT = "found-right";

function hash(text, seed) {
  let a = seed ^ 0xdeadbeef;
  let b = seed ^ 0x41c6ce57;
  for (let place = 0; place < text.length; place++) {
    const code = text.charCodeAt(place);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  return (a >>> 0) + 4294967296 * (b & 2097151);
}

function named(element) {
  let said = element.localName;
  for (const name of ASKED) {
    const value = element.getAttribute(name);
    if (value !== null) said += NAMED.has(name) ? ` ${name}` : ` ${name}=${value}`;
  }
  return said;
}

function speaks(element) {
  if (element.value) return true;
  for (let node = element.firstChild; node; node = node.nextSibling) {
    if (node.nodeType === Node.TEXT_NODE && node.data.trim()) return true;
  }
  return false;
}

function collect(element, above, before, keys) {
  const own = named(element);
  const chain = hash(own, above);
  if (speaks(element) && element.checkVisibility({ visibilityProperty: true })) {
    const judged = element.control ?? element; // a label is judged by what it labels, too
    const state = `${judged.disabled} ${judged.checked} ${!element.nextElementSibling}`;
    keys.set(element, hash(`${before};${state}`, chain));
  }
  let former = "";
  for (const child of element.children) former = collect(child, chain, former, keys);
  return own;
}

async function findFaults(everything) {
  readAxe();
  const known = new Set(JSON.parse(sessionStorage.getItem(KEPT) ?? "[]"));
  const keys = new Map();
  if (!everything) collect(document.body, innerWidth, "", keys);
  for (const [element, key] of keys) {
    element.toggleAttribute("data-found-right", known.has(key));
    known.add(key);
  }
  axe.configure({ noHtml: true, rules: [{ id: "color-contrast", selector: "*:not([data-found-right])" }] });
  // Without parsing all style sheets anew: only a rule that is off (the page's orientation) asks for that.
  const found = await axe.run(document, { resultTypes: ["violations", "incomplete"], elementRef: true, preload: false });
  const contrast = [...found.violations, ...found.incomplete].filter(({ id }) => id === "color-contrast");
  for (const { element } of contrast.flatMap(({ nodes }) => nodes)) known.delete(keys.get(element));
  sessionStorage.setItem(KEPT, JSON.stringify([...known]));
  const place = (node) => `${node.target.join(" ")} ${node.element.outerHTML.slice(0, 160)}`;
  return found.violations.map((fault) => `${fault.id}: ${fault.nodes.slice(0, 3).map(place).join(" | ")}`);
}

Object.assign(window, { findFaults });
