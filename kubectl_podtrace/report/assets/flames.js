// Flame graphs by d3-flame-graph: what called stands above what it called, as wide as its share.
"use strict";

podtrace.flames = (() => {
  const ROW = 18;
  const COLOURS = 6;
  const ZOOM_MS = 250;
  const known = new WeakMap();

  // The tree of nodes that stand in the order of a walk through it.
  function treeOf(chart) {
    const path = [];
    for (const [depth, name, value, text] of chart.nodes) {
      const node = { name: chart.names[name], value, text, children: [] };
      path.length = depth;
      if (depth) path[depth - 1].children.push(node);
      path.push(node);
    }
    return path[0];
  }

  // Functions of one file have one colour.
  function colourOf(frame) {
    if (frame.highlight) return "var(--flame-hit)";
    if (!frame.depth) return "var(--flame-root)";
    const module = /\(([^()]*)\)[^()]*$/.exec(frame.data.name)?.[1] ?? frame.data.name.split("+")[0];
    let sum = 7;
    for (const letter of module) sum = (sum * 31 + letter.codePointAt(0)) % 1_000_003;
    return `var(--flame-${sum % COLOURS})`;
  }

  class Flame {
    constructor(place, chart) {
      this.place = place;
      this.figure = place.closest("figure");
      this.details = this.figure.querySelector(".details");
      this.tree = treeOf(chart);
      this.height = (Math.max(...chart.nodes.map(([depth]) => depth)) + 1) * ROW + 1;
      this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.addTools();
    }

    addTools() {
      const tools = this.figure.querySelector(".tools");
      tools.hidden = false;
      this.input = tools.querySelector("input");
      this.input.addEventListener("input", () => this.search());
      tools.querySelector(".reset").addEventListener("click", () => this.reset());
      this.place.tabIndex = 0;
      this.place.setAttribute("role", "group");
      this.place.setAttribute("aria-label",
        `${this.figure.querySelector("figcaption strong").textContent}. Arrow keys walk, Enter zooms, Escape shows all.`);
      this.place.addEventListener("keydown", (event) => this.walk(event));
    }

    draw(width) {
      this.place.replaceChildren();
      this.graph = flamegraph.default().width(width).height(this.height).cellHeight(ROW).inverted(true).minFrameSize(1.5)
        .transitionDuration(0).setColorMapper(colourOf)
        .label((frame) => `${frame.data.name}: ${frame.data.text}`)
        .setDetailsHandler((text) => this.tell(text))
        .setSearchMatch((frame, term) => frame.data.name.toLowerCase().includes(term.toLowerCase()))
        .setSearchHandler((frames, sum, total) => {
          const share = d3.format(".1%")(total ? sum / total : 0);
          this.hits = this.input.value ? `${frames.length} of the functions found, in ${share} of the whole` : "";
          this.tell(null);
        });
      d3.select(this.place).datum(this.tree).call(this.graph);
      this.settle();
      this.graph.transitionDuration(this.still ? 0 : ZOOM_MS).onClick(() => this.still && this.settle());
      this.place.firstElementChild.setAttribute("role", "img");
      this.place.firstElementChild.setAttribute("aria-label", this.figure.querySelector("figcaption").textContent.trim());
      this.at = null;
      if (this.input.value) this.search();
    }

    // Frames that come grow to their width, whatever the duration is. On paper, and for who wants no motion, they stand.
    settle() {
      const frames = d3.select(this.place).selectAll("g.frame");
      frames.select("rect").interrupt().attr("width", function () { return this.parentNode.getAttribute("width"); });
      frames.select("div").interrupt().text((frame) => frame.data.name);
    }

    tell(text) {
      this.details.textContent = text || this.hits || "\u00a0";
    }

    search() {
      this.hits = "";
      if (this.input.value) this.graph.search(this.input.value);
      else this.graph.clear();
      if (!this.input.value) this.tell(null);
    }

    reset() {
      this.input.value = "";
      this.search();
      this.graph.resetZoom();
    }

    walk(event) {
      if (event.key === "Escape") {
        this.reset();
        return;
      }
      const frames = d3.select(this.place).selectAll("g.frame");
      const at = this.at ?? frames.datum();
      if (event.key === "Enter") {
        frames.filter((frame) => frame === at).dispatch("click");
        return;
      }
      const siblings = at.parent?.children ?? [at];
      const next = {
        ArrowDown: at.children?.[0], ArrowUp: at.parent,
        ArrowRight: siblings[siblings.indexOf(at) + 1], ArrowLeft: siblings[siblings.indexOf(at) - 1],
      }[event.key];
      if (!event.key.startsWith("Arrow")) return;
      event.preventDefault();
      this.at = next ?? at;
      frames.classed("at", (frame) => frame === this.at);
      this.tell(`${this.at.data.name}: ${this.at.data.text}`);
    }
  }

  function draw(place, chart, width) {
    if (!known.has(place)) known.set(place, new Flame(place, chart));
    known.get(place).draw(width - 2);
  }

  return { draw };
})();
