// Elements are made, never written: no text of a trace is read as markup.
const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  for (const child of children) {
    if (child !== null && child !== undefined) element.append(child);
  }
  return element;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// Figures as everywhere in the reports: three digits and a unit.
function significant(value) {
  const size = Math.abs(value);
  const digits = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
function duration(ns) {
  for (const [scale, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
    if (Math.abs(ns) >= scale * 0.9995) return `${significant(ns / scale)} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}
// A time on the axis, as exact as the axis is fine.
function moment(ns, step) {
  const [scale, unit] = step >= 1e8 ? [1e9, "s"] : step >= 1e5 ? [1e6, "ms"] : step >= 100 ? [1e3, "µs"] : [1, "ns"];
  const digits = Math.max(0, Math.ceil(-Math.log10(step / scale) - 1e-9));
  const value = Math.abs(ns) < step / 1e3 ? 0 : ns / scale;
  return `${value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`;
}
// To the nanosecond.
const exactly = (ns) => `${(ns / 1e3).toLocaleString("en-US", { minimumFractionDigits: 3 })} µs`;
const counted = (count) => count.toLocaleString("en-US");
const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)}%` : "–");
const bytes = (count) => {
  for (const [scale, unit] of [[1e9, "GB"], [1e6, "MB"], [1e3, "KB"]]) {
    if (count >= scale * 0.9995) return `${significant(count / scale)} ${unit}`;
  }
  return `${count} B`;
};
function launchWords([grid, block, registers, shared, occupancy]) {
  return [
    grid && `grid ${grid.join(" × ")}`,
    block && `block ${block.join(" × ")}`,
    registers !== null && `${registers} registers`,
    shared !== null && `${bytes(shared)} shared`,
    occupancy !== null && `occupancy ${Math.round(100 * occupancy)}%`,
  ].filter(Boolean).join(", ");
}

// Colours come from the style sheet, so that canvases follow the theme.
const CATEGORIES = ["gemm", "attention", "elementwise", "norm", "copy", "reduce", "collective", "softmax", "triton-fused"];
let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["paper", "panel", "ink", "dim", "line", "mark", "link", "host", "sync", "launch", "unknown", "between",
    "range", "call", "operator", "busy", "stage-load", "stage-preprocess", "stage-vision", "stage-projector",
    "stage-prefill", "stage-decode", "stage-draft", "stage-map",
    "stage-verify", "stage-mixed", "stage-none", ...CATEGORIES];
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}
// Of one of several models a stage is called MODEL/STAGE.
const stageColour = (stage) => colours[`stage-${stage.split("/").pop()}`] || colours["stage-none"];

// What redraws itself when the theme, the width or the medium changes.
const redraws = [];
function redrawAll() {
  readColours();
  for (const redraw of redraws) redraw();
}

// The one box that says what is under the pointer.
const tip = el("div", { class: "tip", role: "tooltip", hidden: "" });
function showTip(content, x, y) {
  tip.replaceChildren(content);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 14 + box.width > innerWidth ? x - 14 - box.width : x + 14;
  const top = y + 16 + box.height > innerHeight ? y - 12 - box.height : y + 16;
  tip.style.left = `${Math.max(6, Math.min(left, innerWidth - box.width - 6))}px`;
  tip.style.top = `${Math.max(6, top)}px`;
}
const hideTip = () => { tip.hidden = true; };
function rows(title, pairs) {
  const list = el("dl", {});
  for (const [key, value] of pairs) {
    if (value !== null && value !== undefined && value !== "") list.append(el("dt", {}, key), el("dd", {}, el("bdi", {}, value)));
  }
  return fill(document.createDocumentFragment(), {}, [el("b", {}, el("bdi", {}, title)), list]);
}
