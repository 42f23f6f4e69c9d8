// A circuit as a layered graph: SVG, no library, nothing fetched. Names and tokens come from files,
// so every text enters through textContent.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 120, right: 24, top: 18, bottom: 18 };
const STYLE = `
.mansu-graph { --ink: var(--jp-ui-font-color0, #1f2933); --soft: var(--jp-ui-font-color2, #52606d);
  --ground: var(--jp-layout-color1, #fff); --line: var(--jp-border-color1, #c5ccd3);
  --focus: var(--jp-brand-color1, #0072B2); color: var(--ink);
  font: 13px/1.4 var(--jp-ui-font-family, Helvetica, Arial, sans-serif); }
.mansu-graph .body { display: flex; flex-flow: row wrap; gap: 16px; align-items: flex-start; }
.mansu-graph .picture { position: relative; flex: 1 1 440px; min-width: 0; max-width: 820px; }
.mansu-graph svg { display: block; width: 100%; height: auto; background: var(--ground); }
.mansu-graph .edge { fill: none; pointer-events: none; }
.mansu-graph .reach { fill: none; stroke: transparent; stroke-width: 9px; }
.mansu-graph .faint { opacity: 0.06; }
.mansu-graph .node { cursor: pointer; outline: none; }
.mansu-graph .node .shape { fill: var(--ground); stroke: var(--soft); stroke-width: 1.2px; }
.mansu-graph .node.member .shape { fill: var(--ink); stroke: var(--ink); }
.mansu-graph .node.chosen .shape { stroke: var(--focus); stroke-width: 3.5px; }
.mansu-graph .node .ring { fill: none; stroke: none; }
.mansu-graph .node:focus-visible .ring, .mansu-graph .node.marked .ring {
  stroke: var(--focus); stroke-width: 2px; stroke-dasharray: 3 2; }
.mansu-graph text { fill: var(--soft); font-size: 11px; }
.mansu-graph .node.member text { fill: var(--ink); font-weight: 600; }
.mansu-graph .tip { position: absolute; pointer-events: none; display: none; max-width: 280px;
  padding: 4px 8px; border-radius: 4px; background: var(--ink); color: var(--ground);
  font-size: 12px; z-index: 5; }
.mansu-graph .status { min-height: 2.8em; }
.mansu-graph .title { font-weight: 600; overflow-wrap: anywhere; }
.mansu-graph .key { display: flex; flex-flow: row wrap; gap: 4px 16px; color: var(--soft); }
.mansu-graph .key b { display: inline-block; width: 22px; height: 4px; margin: 0 5px 3px 0; }
.mansu-graph .panel { flex: 1 1 400px; min-width: 0; height: 600px; overflow: auto;
  border: 1px solid var(--line); padding: 8px 12px; box-sizing: border-box; }
.mansu-graph .panel h4 { margin: 8px 0 2px; font-size: 13px; }
.mansu-graph .panel table { border-collapse: collapse; width: 100%; font-size: 12px; }
.mansu-graph .panel td, .mansu-graph .panel th { text-align: left; padding: 2px 8px 2px 0;
  vertical-align: top; border: 0; background: none; color: var(--ink); }
.mansu-graph .panel .number { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.mansu-graph .token { border-radius: 2px; padding: 0 1px; white-space: pre-wrap; }
.mansu-graph .token.differs { outline: 1px solid var(--soft); font-weight: 600; }
.mansu-graph .pair { display: flex; flex-flow: row wrap; gap: 8px 24px; }
.mansu-graph .pair > div { flex: 1 1 160px; min-width: 0; }
`;

const make = (tag, name = "", text = "") => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
};
const draw = (tag, attributes, parent) => {
  const made = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
};
// Three significant digits, a real minus sign, the sign always there.
const signed = (value) => {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 0.001 || size >= 1000) ? size.toExponential(1)
    : size.toPrecision(3);
  return (value < 0 ? "−" : "+") + text;
};
const meaning = (score) => (score < 0 ? "helps the answer" : "works against it");

function render({ model, el }) {
  const root = make("div", "mansu-graph");
  // JupyterLab would take the arrow keys for its own cells.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  const title = make("div", "title");
  const key = make("div", "key");
  const body = make("div", "body");
  const picture = make("div", "picture");
  const tip = make("div", "tip");
  const status = make("div", "status");
  status.setAttribute("role", "status");
  const panel = make("div", "panel");
  panel.setAttribute("aria-label", "The chosen node");
  panel.setAttribute("role", "region");
  panel.tabIndex = 0;
  const style = make("style", "", STYLE);
  picture.append(tip);
  body.append(picture, panel);
  root.append(style, title, key, body, status);
  el.replaceChildren(root);

  let svg = null;
  let nodes = []; // {data, group, x, y}
  let edges = []; // {data, path, reach}
  let active = 0; // the node that Tab reaches
  let hovered = -1;

  const dark = () => document.body.dataset.jpThemeLight === "false";
  const colour = (score) => {
    const colours = model.get("colours");
    if (score < 0) return colours.helps;
    return dark() ? colours.hinders_dark : colours.hinders;
  };
  const circuit = () => {
    const every = model.get("circuits");
    return new Set(every[Math.min(model.get("top_k"), every.length) - 1] || []);
  };

  function build() {
    const drawing = model.get("drawing");
    if (svg) svg.remove();
    nodes = []; edges = []; hovered = -1;
    title.textContent = drawing.title || "";
    if (!drawing.nodes) return;
    const columns = Math.max(...drawing.nodes.map((n) => n.x)) + 1;
    const top = Math.max(...drawing.nodes.map((n) => n.y));
    const step = Math.max(22, Math.min(84, 560 / (top + 2)));
    const wide = Math.max(12, Math.min(46, 560 / columns));
    const width = MARGIN.left + columns * wide + MARGIN.right;
    const height = MARGIN.top + (top + 1) * step + MARGIN.bottom;
    svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "group" }, picture);
    svg.setAttribute("aria-label",
      "The circuit as a graph. Arrow keys move between nodes, Enter chooses one, Escape lets go.");
    const size = Math.min(7, wide / 2 - 1.5, step / 3);
    const place = (n) => [MARGIN.left + (n.x + 0.5) * wide, MARGIN.top + (top - n.y) * step];
    const lines = draw("g", {}, svg);
    const reaches = draw("g", {}, svg);
    const limit = model.get("limit") || 1;
    // Weak edges first, so that strong ones lie on top.
    for (const edge of [...drawing.edges].reverse()) {
      const [x1, y1] = place(drawing.nodes[edge.from]);
      const [x2, y2] = place(drawing.nodes[edge.to]);
      const bend = Math.min(100, 16 + 0.32 * (y1 - y2));
      // MLPs are left and entered sideways, everything else upwards: fewer lines lie on each other.
      const [writer, reader] = [drawing.nodes[edge.from], drawing.nodes[edge.to]];
      const half = (y1 + y2) / 2;
      const first = writer.kind === "mlp" ? [x1 + 0.5 * (x2 - x1), y1] : [x1, half];
      const second = reader.kind === "mlp" ? [x2 + 0.5 * (x1 - x2), y2] : [x2, half];
      const d = Math.abs(x1 - x2) < 1
        ? `M${x1},${y1} C${x1 - bend},${y1 - 6} ${x2 - bend},${y2 + 6} ${x2},${y2}`
        : `M${x1},${y1} C${first} ${second} ${x2},${y2}`;
      const share = Math.sqrt(Math.min(1, Math.abs(edge.score) / limit));
      const path = draw("path", {
        d, class: "edge", "stroke-width": (0.5 + 5.5 * share).toFixed(2),
        "stroke-opacity": (0.25 + 0.65 * share).toFixed(2),
      }, lines);
      const reach = draw("path", { d, class: "reach" }, reaches);
      const made = { data: edge, path, reach };
      reach.addEventListener("pointermove", (event) => point(event, describeEdge(made)));
      reach.addEventListener("pointerleave", hide);
      edges.push(made);
    }
    drawing.nodes.forEach((data, index) => {
      const [x, y] = place(data);
      const group = draw("g", { class: "node", role: "button", tabindex: "-1" }, svg);
      draw("circle", { class: "ring", cx: x, cy: y, r: size + 4 }, group);
      if (data.kind === "head") draw("circle", { class: "shape", cx: x, cy: y, r: size }, group);
      else if (data.kind === "kv") draw("path", { class: "shape",
        d: `M${x},${y - size} l${size},${size} l${-size},${size} l${-size},${-size} z` }, group);
      else draw("rect", { class: "shape", x: x - size, y: y - size, rx: 2,
        width: 2 * size, height: 2 * size }, group);
      if (data.kind === "mlp") draw("text", { x: x - size - 5, y: y + 4, "text-anchor": "end" },
        group).textContent = data.name;
      if (data.kind === "emb" || data.kind === "logits") draw("text",
        { x: x + size + 6, y: y + 4 }, group).textContent = data.title;
      group.addEventListener("click", () => { focus(index, false); choose(data.name); });
      group.addEventListener("pointermove", (event) => point(event, describe(index)));
      group.addEventListener("pointerenter", () => { hovered = index; update(); });
      group.addEventListener("pointerleave", () => { hovered = -1; hide(); update(); });
      group.addEventListener("focus", () => { status.textContent = describe(index); });
      group.addEventListener("keydown", (event) => press(event, index));
      nodes.push({ data, group, x, y });
    });
    active = 0;
    nodes[0].group.setAttribute("tabindex", "0");
    update();
  }

  function update() {
    if (!svg) return;
    const members = circuit();
    const threshold = model.get("threshold");
    const chosen = nodes.findIndex((n) => n.data.name === model.get("selected"));
    const centre = hovered >= 0 ? hovered : chosen;
    let shown = 0;
    for (const { data, path, reach } of edges) {
      const target = nodes[data.to].data;
      const visible = Math.abs(data.score) >= threshold
        && (!model.get("only_circuit") || (target.kind === "mlp" && members.has(target.layer)));
      shown += visible;
      path.style.display = reach.style.display = visible ? "" : "none";
      path.setAttribute("stroke", colour(data.score));
      path.classList.toggle("faint", centre >= 0 && data.from !== centre && data.to !== centre);
    }
    nodes.forEach(({ data, group }, index) => {
      const member = data.kind === "mlp" && members.has(data.layer);
      group.classList.toggle("member", member);
      group.classList.toggle("chosen", index === chosen);
      group.setAttribute("aria-pressed", String(index === chosen));
      group.setAttribute("aria-label", data.title + (member ? ", in the circuit" : ""));
    });
    const drawing = model.get("drawing");
    const left = drawing.total - edges.length;
    root.dataset.shown = shown;
    const least = threshold > 0 ? ` with |score| ≥ ${threshold.toPrecision(2)} logits` : "";
    const rest = left > 0 ? ` The ${left.toLocaleString("en")} weakest of `
      + `${drawing.total.toLocaleString("en")} edges are left out; the ${edges.length} drawn hold `
      + `${Math.round(100 * drawing.share)} % of all |score|.` : "";
    fillKey(`${shown} edges${least}.${rest}`);
  }

  function fillKey(count) {
    key.replaceChildren();
    for (const [score, words] of [[-1, "helps the answer (negative)"],
      [1, "works against it (positive)"]]) {
      const item = make("span");
      const line = make("b");
      line.style.background = colour(score);
      item.append(line, words);
      key.append(item);
    }
    key.append(make("span", "", "■ MLP in the circuit   □ other MLP   ○ head   ◊ keys and values"));
    key.append(make("span", "count", count));
  }

  function describeEdge({ data }) {
    const from = nodes[data.from].data.name;
    return `${from} → ${data.reader}: ${signed(data.score)} logits, ${meaning(data.score)}`;
  }

  function describe(index) {
    const { data } = nodes[index];
    const sum = (list) => list.reduce((total, e) => total + e.data.score, 0);
    const out = edges.filter((e) => e.data.from === index);
    const into = edges.filter((e) => e.data.to === index);
    const member = data.kind === "mlp" && circuit().has(data.layer) ? ", in the circuit" : "";
    const said = [`${data.name}: ${data.title}${member}.`];
    if (into.length) said.push(`Reads ${into.length} drawn edges, ${signed(sum(into))} logits.`);
    if (out.length) said.push(`Writes ${out.length}, ${signed(sum(out))} logits.`);
    if (!into.length && !out.length) said.push("None of its edges is drawn.");
    return said.join(" ");
  }

  function point(event, text) {
    const frame = picture.getBoundingClientRect();
    tip.textContent = text;
    tip.style.display = "block";
    const x = event.clientX - frame.left;
    tip.style.left = `${x > frame.width / 2 ? Math.max(0, x - 292) : x + 14}px`;
    tip.style.top = `${event.clientY - frame.top + 14}px`;
  }
  function hide() { tip.style.display = "none"; }

  function choose(name) {
    model.set("selected", model.get("selected") === name ? "" : name);
    model.save_changes();
  }

  function focus(index, move = true) {
    nodes[active].group.setAttribute("tabindex", "-1");
    active = index;
    nodes[active].group.setAttribute("tabindex", "0");
    if (move) nodes[active].group.focus();
  }

  // Left and right within a row, up and down to the nearest node of the next row.
  function neighbour(index, name) {
    const here = nodes[index].data;
    if (name === "Home") return 0;
    if (name === "End") return nodes.length - 1;
    if (name === "ArrowLeft" || name === "ArrowRight") {
      const row = nodes.map((n, i) => [n.data, i]).filter(([n]) => n.layer === here.layer)
        .sort(([a], [b]) => a.x - b.x).map(([, i]) => i);
      return row[row.indexOf(index) + (name === "ArrowRight" ? 1 : -1)];
    }
    if (name !== "ArrowUp" && name !== "ArrowDown") return undefined;
    const layer = here.layer + (name === "ArrowUp" ? 1 : -1);
    return nodes.map((n, i) => [Math.abs(n.data.x - here.x), i])
      .filter(([, i]) => nodes[i].data.layer === layer).sort(([a], [b]) => a - b)[0]?.[1];
  }

  function press(event, index) {
    if (event.key === "Enter" || event.key === " ") choose(nodes[index].data.name);
    else if (event.key === "Escape") { model.set("selected", ""); model.save_changes(); }
    else {
      const next = neighbour(index, event.key);
      if (next === undefined) {
        if (!event.key.startsWith("Arrow")) return;
      } else focus(next);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  function edgeTable(name, listed) {
    const box = make("div");
    box.append(make("h4", "", name));
    if (!listed.length) { box.append(make("div", "", "none")); return box; }
    const table = make("table");
    for (const { edge, score } of listed) {
      const row = make("tr");
      row.append(make("td", "", edge), make("td", "number", signed(score)));
      row.lastChild.title = meaning(score);
      row.lastChild.style.boxShadow = `inset -4px 0 ${colour(score)}`;
      row.lastChild.style.paddingRight = "10px";
      table.append(row);
    }
    box.append(table);
    return box;
  }

  function tokens(listed, others, answer) {
    const line = make("div");
    listed.forEach((token, i) => {
      line.append(make("span", token === others[i] ? "token" : "token differs", token));
    });
    line.append(make("span", "", " → "), make("b", "", answer));
    return line;
  }

  function fillPanel() {
    panel.style.display = model.get("with_details") ? "" : "none";
    const details = model.get("details");
    panel.replaceChildren();
    if (!details.node) {
      panel.append(make("div", "", "Choose a node: click it, or move to it with the arrow keys and "
        + "press Enter. Its strongest edges and its score on every example then stand here."));
      return;
    }
    const node = nodes.find((n) => n.data.name === details.node);
    panel.append(make("h4", "", node ? `${details.node}: ${node.data.title}` : details.node));
    const pair = make("div", "pair");
    pair.append(edgeTable("reads (logits)", details.reads),
      edgeTable("writes (logits)", details.writes));
    panel.append(pair, make("h4", "", `On the examples: ${details.told}`));
    if (!details.examples.length) return;
    const table = make("table");
    const head = make("tr");
    for (const text of ["score", "M", "clean prompt → first token of its answer; then the corrupted one"]) {
      head.append(make("th", text.length < 6 ? "number" : "", text));
    }
    table.append(head);
    for (const example of details.examples) {
      const row = make("tr");
      row.append(make("td", "number", signed(example.score)),
        make("td", "number", signed(example.metric)), make("td"));
      row.firstChild.style.boxShadow = `inset 4px 0 ${colour(example.score)}`;
      row.firstChild.style.paddingLeft = "10px";
      row.lastChild.append(tokens(example.clean, example.corrupted, example.answer),
        tokens(example.corrupted, example.clean, example.other));
      table.append(row);
    }
    panel.append(table);
    if (details.left) panel.append(make("div", "",
      `${details.left} examples with a smaller |score| are not shown. All numbers in logits.`));
  }

  const whenChosen = () => { update(); };
  const whenThemed = new MutationObserver(() => { update(); fillPanel(); });
  whenThemed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  model.on("change:drawing change:limit", build);
  model.on("change:circuits change:top_k change:threshold change:only_circuit", update);
  model.on("change:selected", whenChosen);
  model.on("change:details change:with_details", fillPanel);
  build();
  fillPanel();
  return () => {
    whenThemed.disconnect();
    model.off("change:drawing change:limit", build);
    model.off("change:circuits change:top_k change:threshold change:only_circuit", update);
    model.off("change:selected", whenChosen);
    model.off("change:details change:with_details", fillPanel);
  };
}

export default { render };
