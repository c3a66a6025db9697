"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const { nodes, edges } = data.graph;
const byId = (id) => document.getElementById(id);
const view = byId("view"), world = byId("world"), labels = byId("labels");
const search = byId("search"), found = byId("found"), details = byId("details");
const SVG = "http://www.w3.org/2000/svg";
const LETTER = 6.7, SMALL_BELOW = 0.62, LABELS_MAX = 160;

function make(parent, name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  parent.append(element);
  return element;
}

// Who needs whom.
const needs = nodes.map(() => []), users = nodes.map(() => []);
edges.forEach((edge, number) => {
  needs[edge.from].push({ other: edge.to, number });
  users[edge.to].push({ other: edge.from, number });
});

function reachedFrom(start, links) {
  const reached = new Set([start]), stack = [start];
  while (stack.length) {
    for (const { other } of links[stack.pop()]) {
      if (!reached.has(other)) { reached.add(other); stack.push(other); }
    }
  }
  reached.delete(start);
  return reached;
}

// Names that matter most are written first where there is little room.
const weight = nodes.map((_, at) => users[at].length * 3 + needs[at].length);
const byWeight = nodes.map((_, at) => at).sort((a, b) => weight[b] - weight[a] || a - b);

const paths = edges.map((edge, number) => {
  const path = make(byId("edges"), "path", { d: data.paths[number] });
  if (edge.implied) path.classList.add("implied");
  return path;
});
const boxes = nodes.map((node, at) => {
  const [x, y, width] = data.boxes[at];
  const group = make(byId("nodes"), "g", {});
  make(group, "title", {}).textContent = node.kind ? `${node.label}: ${node.text}` : node.id;
  make(group, "rect", { x, y, width, height: data.item_height, rx: 4 });
  make(group, "text", { x: x + 7, y: y + 14 }).textContent = data.texts[at];
  group.addEventListener("click", () => { if (!moved) choose(at); });
  return group;
});

// What colors mean.
const mode = byId("mode"), hasStatus = nodes.some((node) => node.status);
if (hasStatus) mode.value = "status"; else mode.hidden = true;
let only = null;

function paint() {
  const byStatus = hasStatus && mode.value === "status";
  const colors = byStatus ? data.statuses : data.stages;
  const name = (node) => (byStatus ? node.status : node.stage);
  const counts = new Map();
  nodes.forEach((node, at) => {
    const color = colors.find((it) => it.name === name(node)) || colors[0];
    counts.set(name(node), (counts.get(name(node)) || 0) + 1);
    const rect = boxes[at].querySelector("rect");
    rect.setAttribute("fill", color.fill);
    rect.setAttribute("stroke", color.edge);
    boxes[at].classList.toggle("run", byStatus && node.status === "run");
    boxes[at].classList.toggle("pending", byStatus && node.status === "pending");
  });
  const rows = colors.filter((color) => counts.has(color.name)).map((color) => {
    const row = document.createElement("li"), button = itemButton("", () => {
      only = only === color.name ? null : color.name;
      chosen = null;
      paint();
      mark();
    });
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = color.fill;
    swatch.style.borderColor = color.edge;
    const count = document.createElement("span");
    count.className = "count";
    count.textContent = counts.get(color.name);
    button.append(count, swatch, color.name);
    button.setAttribute("aria-pressed", String(only === color.name));
    row.append(button);
    return row;
  });
  byId("legend").replaceChildren(...rows);
}

function itemButton(text, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "item";
  button.textContent = text;
  button.addEventListener("click", act);
  return button;
}

// What is chosen, and what is found.
let chosen = null, hits = [];

function choose(at, { show = false } = {}) {
  chosen = at;
  only = null;
  const id = at === null ? "" : nodes[at].id;
  history.replaceState(null, "", id ? "#" + encodeURI(id) : location.pathname + location.search);
  paint();
  mark();
  tell();
  if (show && at !== null) bringIntoView(at);
}

function mark() {
  const lit = new Set();
  paths.forEach((path) => path.classList.remove("needs", "users", "far-needs", "far-users"));
  if (chosen !== null) {
    const below = reachedFrom(chosen, needs), above = reachedFrom(chosen, users);
    edges.forEach((edge, number) => {
      const list = paths[number].classList;
      if (edge.from === chosen) list.add("needs");
      else if (edge.to === chosen) list.add("users");
      else if (below.has(edge.from)) list.add("far-needs");
      else if (above.has(edge.to)) list.add("far-users");
    });
    [chosen, ...below, ...above].forEach((at) => lit.add(at));
  } else if (hits.length) {
    hits.forEach((at) => lit.add(at));
  } else if (only !== null) {
    const byStatus = hasStatus && mode.value === "status";
    nodes.forEach((node, at) => { if ((byStatus ? node.status : node.stage) === only) lit.add(at); });
  }
  const isFiltered = lit.size > 0;
  view.classList.toggle("chosen", isFiltered);
  boxes.forEach((box, at) => {
    box.classList.toggle("lit", lit.has(at));
    box.classList.toggle("self", at === chosen);
    box.classList.toggle("hit", hits.includes(at));
  });
  litItems = isFiltered ? lit : null;
  draw();
}

function list(title, className, items) {
  const head = document.createElement("h4");
  head.className = className;
  head.textContent = `${title} (${items.length})`;
  const rows = document.createElement("ul");
  items.map(({ other }) => other).sort((a, b) => (nodes[a].label + nodes[a].text < nodes[b].label + nodes[b].text ? -1 : 1)).forEach((at) => {
    const row = document.createElement("li");
    row.append(itemButton(name(nodes[at]), () => choose(at, { show: true })));
    rows.append(row);
  });
  return items.length ? [head, rows] : [head];
}

function name(node) { return node.kind ? node.text : node.label; }

function tell() {
  if (chosen === null) { details.replaceChildren(); return; }
  const node = nodes[chosen], parts = [];
  const add = (tag, className, text) => {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    parts.push(element);
    return element;
  };
  add("h3", "", node.kind ? node.text : node.label);
  const marks = document.createElement("p");
  const texts = [node.version, node.kind, node.status, node.opaque ? "opaque" : null];
  texts.filter(Boolean).forEach((text) => {
    const element = document.createElement("span");
    element.className = "mark";
    element.textContent = text;
    marks.append(element);
  });
  if (marks.childNodes.length) parts.push(marks);
  if (node.description) add("p", "", node.description);
  if (node.kind) add("p", "where", `of ${node.label}, ${node.id.slice(0, 16)}`);
  add("p", "where", `${node.file}:${node.line}`);
  if (node.steps.length) {
    add("h4", "", `steps (${node.steps.length})`);
    add("p", "", node.steps.join(", "));
  }
  parts.push(...list("needs", "needs", needs[chosen]), ...list("is needed by", "users", users[chosen]));
  const below = reachedFrom(chosen, needs).size, above = reachedFrom(chosen, users).size;
  add("p", "where", `${below} below it in all, ${above} above`);
  details.replaceChildren(...parts);
}

function find() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (node) => [node.id, node.label, node.text, node.version, node.description].join(" ").toLowerCase();
  hits = words.length ? byWeight.filter((at) => words.every((word) => text(nodes[at]).includes(word))) : [];
  if (words.length) { chosen = null; details.replaceChildren(); }
  const rows = hits.slice(0, 60).map((at) => {
    const row = document.createElement("li");
    row.append(itemButton(name(nodes[at]), () => choose(at, { show: true })));
    return row;
  });
  if (words.length && !hits.length) {
    const row = document.createElement("li");
    row.className = "where";
    row.textContent = "nothing is found";
    rows.push(row);
  }
  found.replaceChildren(...rows);
  mark();
}

// The part of the world that is seen.
let zoom = 1, left = 0, top_ = 0, litItems = null, moved = false;
const size = () => view.getBoundingClientRect();

function fit() {
  const { width, height } = size();
  zoom = Math.min(width / data.width, height / data.height, 1.6);
  left = (width - data.width * zoom) / 2;
  top_ = (height - data.height * zoom) / 2;
  draw();
}

function zoomBy(factor, x, y) {
  const next = Math.min(Math.max(zoom * factor, 0.02), 6);
  left = x - ((x - left) * next) / zoom;
  top_ = y - ((y - top_) * next) / zoom;
  zoom = next;
  draw();
}

function bringIntoView(at) {
  const { width, height } = size(), [x, y, w] = data.boxes[at];
  if (zoom < 0.75) zoom = 0.9;
  left = width / 2 - (x + w / 2) * zoom;
  top_ = height / 2 - (y + data.item_height / 2) * zoom;
  draw();
}

let isDue = false;
function draw() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    world.setAttribute("transform", `translate(${left} ${top_}) scale(${zoom})`);
    view.classList.toggle("small", zoom < SMALL_BELOW);
    writeLabels();
  });
}

// Where boxes are too small to be read, the names that have room are written beside them.
function writeLabels() {
  labels.replaceChildren();
  if (zoom >= SMALL_BELOW) return;
  const { width, height } = size(), taken = [];
  const order = chosen === null ? [...hits, ...byWeight] : [chosen, ...needs[chosen].map((it) => it.other), ...users[chosen].map((it) => it.other), ...byWeight];
  const seen = new Set();
  for (const at of order) {
    if (taken.length >= LABELS_MAX) break;
    if (seen.has(at) || (litItems && !litItems.has(at))) continue;
    seen.add(at);
    const [boxX, boxY, boxWidth] = data.boxes[at];
    const x = left + boxX * zoom, y = top_ + (boxY + data.item_height / 2) * zoom;
    if (x + boxWidth * zoom < 0 || x > width || y < 0 || y > height) continue;
    const text = data.texts[at];
    const w = text.length * LETTER + 4, place = { x: x - 2, y: y - 8, w, h: 16 };
    if (place.x + w > width) continue;
    const isFree = taken.every((it) => it.x + it.w < place.x || place.x + w < it.x || it.y + it.h < place.y || place.y + 16 < it.y);
    if (!isFree) continue;
    taken.push(place);
    const label = make(labels, "text", { x, y: y + 4 });
    label.textContent = text;
    if (at === chosen) label.classList.add("self");
    if (hits.includes(at)) label.classList.add("hit");
  }
}

// Pointers: one moves, two zoom.
const pointers = new Map();
view.addEventListener("pointerdown", (event) => {
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  moved = false;
});
window.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const dx = event.clientX - before.x, dy = event.clientY - before.y;
  if (pointers.size === 1) {
    if (!moved && Math.hypot(dx, dy) < 4) return;
    moved = true;
    view.classList.add("moving");
    left += dx;
    top_ += dy;
    draw();
  } else if (pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, it]) => it);
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(event.clientX - other.x, event.clientY - other.y);
    moved = true;
    if (was > 0) zoomBy(is / was, (event.clientX + other.x) / 2, (event.clientY + other.y) / 2);
  }
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
});
for (const end of ["pointerup", "pointercancel"]) {
  window.addEventListener(end, (event) => {
    pointers.delete(event.pointerId);
    view.classList.remove("moving");
  });
}
view.addEventListener("click", (event) => {
  if (!moved && !event.target.closest("#nodes g")) { clear(); }
});
view.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { left: x, top: y } = size();
  zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.clientX - x, event.clientY - y);
}, { passive: false });

function clear() {
  search.value = "";
  hits = [];
  found.replaceChildren();
  choose(null);
}

// Keys.
function nearest(links) {
  const middle = (at) => data.boxes[at][1];
  const others = links[chosen].filter(({ number }) => !edges[number].implied).map(({ other }) => other);
  others.sort((a, b) => Math.abs(middle(a) - middle(chosen)) - Math.abs(middle(b) - middle(chosen)) || a - b);
  return others[0];
}

function beside(direction) {
  const [x, y] = data.boxes[chosen];
  const others = nodes.map((_, at) => at).filter((at) => data.boxes[at][0] === x && (data.boxes[at][1] - y) * direction > 0);
  others.sort((a, b) => (data.boxes[a][1] - data.boxes[b][1]) * direction);
  return others[0];
}

view.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { width, height } = size();
  const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  if (event.key in moves) {
    if (chosen === null || event.shiftKey) {
      left += moves[event.key][0];
      top_ += moves[event.key][1];
      draw();
    } else {
      const to = { ArrowLeft: () => nearest(needs), ArrowRight: () => nearest(users), ArrowUp: () => beside(-1), ArrowDown: () => beside(1) }[event.key]();
      if (to !== undefined) choose(to, { show: true });
    }
  } else if (event.key === "+" || event.key === "=") zoomBy(1.25, width / 2, height / 2);
  else if (event.key === "-") zoomBy(0.8, width / 2, height / 2);
  else if (event.key === "0") fit();
  else if (event.key === "Enter" && chosen === null && byWeight.length) choose(byWeight[0], { show: true });
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) { search.focus(); search.select(); event.preventDefault(); }
  if (event.key === "Escape") { clear(); view.focus(); }
});
search.addEventListener("input", find);
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && hits.length) { choose(hits[0], { show: true }); view.focus(); }
  if (event.key === "ArrowDown" && found.querySelector("button")) { found.querySelector("button").focus(); event.preventDefault(); }
});
found.addEventListener("keydown", (event) => {
  const row = document.activeElement.closest("li");
  const to = event.key === "ArrowDown" ? row.nextElementSibling : event.key === "ArrowUp" ? row.previousElementSibling : null;
  if (to && to.firstChild.focus) { to.firstChild.focus(); event.preventDefault(); }
  else if (event.key === "ArrowUp") { search.focus(); event.preventDefault(); }
});
mode.addEventListener("change", () => { only = null; paint(); mark(); });
byId("implied").addEventListener("change", (event) => view.classList.toggle("all-edges", event.target.checked));
window.addEventListener("resize", draw);
window.addEventListener("hashchange", fromAddress);

function fromAddress() {
  const id = decodeURI(location.hash.slice(1));
  const at = nodes.findIndex((node) => node.id === id);
  if (at >= 0 && at !== chosen) { choose(at); }
}

const implied = edges.filter((edge) => edge.implied).length;
// The more lines there are, the fainter each has to be for all to be seen.
view.style.setProperty("--dim", Math.min(0.28, 250 / (edges.length - implied + 1)));
byId("implied-count").textContent = implied;
byId("implied-row").hidden = implied === 0;
byId("counts").textContent = `${nodes.length} ${data.graph.kind}, ${edges.length} needs`;
paint();
fit();
mark();
fromAddress();
