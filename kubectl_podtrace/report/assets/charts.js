// Charts by Observable Plot: histograms of durations, bars, events over time. Data reach it by functions, never as options.
"use strict";

podtrace.charts = (() => {
  const CLASS = "plot";
  const TICK_WIDTH = 52;
  const MARK_WIDTH = 30;
  const NARROWEST = 240;

  // The row of each label, so that none lies on another: places are pixels in ascending order.
  function rowsOf(places, width) {
    const ends = [];
    return places.map((place) => {
      const free = ends.findIndex((end) => place - end >= width);
      const row = free === -1 ? ends.length : free;
      ends[row] = place;
      return row;
    });
  }

  function thinned(ticks, width) {
    const step = Math.max(Math.ceil((ticks.length * TICK_WIDTH) / width), 1);
    return ticks.filter((_, at) => at % step === 0);
  }

  function histogram(chart, width) {
    const { bins, marks } = chart;
    const left = 46;
    const right = 16;
    const [low, high] = [chart.low_ns, chart.high_ns];
    const scale = d3.scaleLog([low, high], [left, width - right]);
    const rows = rowsOf(marks.map((mark) => scale(mark.at_ns)), MARK_WIDTH);
    const top = 18 + 13 * Math.max(...rows);
    const height = 118 + top;
    const most = d3.max(bins, (bin) => bin.count);
    const least = (most * 1.5) / (height - top - 24);
    const ticks = new Map(thinned(chart.ticks, width - left - right).map((tick) => [tick.at_ns, tick.text]));
    return Plot.plot({
      className: CLASS, width, height, marginLeft: left, marginRight: right, marginTop: top, marginBottom: 24,
      ariaLabel: `${chart.title}: how many took how long`,
      ariaDescription: marks.map((mark) => `${mark.label} ${mark.text}`).join(", "),
      x: { type: "log", domain: [low, high], label: null },
      y: { domain: [0, most], label: null },
      marks: [
        Plot.axisX([...ticks.keys()], { tickFormat: (value) => ticks.get(value) ?? "", tickSize: 4 }),
        Plot.axisY({ ticks: 3, tickFormat: tickOf(most), tickSize: 0 }),
        Plot.gridY({ ticks: 3 }),
        Plot.rect(bins, {
          x1: (bin) => bin.low_ns, x2: (bin) => bin.high_ns, y1: () => 0, y2: (bin) => Math.max(bin.count, least),
          fill: "var(--data)", insetLeft: 0.25, insetRight: 0.25, title: (bin) => bin.text, tip: true,
        }),
        Plot.ruleX(marks, { x: (mark) => mark.at_ns, stroke: (mark) => `var(--${mark.label})`, strokeWidth: 1.5 }),
        Plot.text(marks, {
          x: (mark) => mark.at_ns, text: (mark) => mark.label, frameAnchor: "top", lineAnchor: "bottom",
          dy: -4, className: "value", fill: "var(--text)", filter: (_, at) => rows[at] === 0,
        }),
        ...d3.range(1, Math.max(...rows) + 1).map((row) => Plot.text(marks, {
          x: (mark) => mark.at_ns, text: (mark) => mark.label, frameAnchor: "top", lineAnchor: "bottom",
          dy: -4 - 13 * row, fill: "var(--text)", filter: (_, at) => rows[at] === row,
        })),
        Plot.ruleY([0], { stroke: "var(--soft)" }),
      ],
      color: { type: "identity" },
    });
  }

  // Small numbers are whole.
  function tickOf(most) {
    const format = d3.format(most < 10_000 ? ",d" : "~s");
    return (value) => (Number.isInteger(value) ? format(value) : "");
  }

  function bars(chart, width) {
    const tones = chart.series.map((series) => `var(--data${series.tone === "plain" ? "" : `-${series.tone}`})`);
    const order = chart.bars.map((_, at) => at);
    const parts = chart.bars.flatMap((bar, at) => {
      let from = 0;
      return bar.values.map((value, series) => {
        const part = { at, from, to: from + value, series, bar };
        from += value;
        return part;
      }).filter((part) => part.to > part.from);
    });
    const longest = d3.max(parts, (part) => part.to) || 1;
    const letters = d3.max(chart.bars, (bar) => bar.text.length);
    const right = Math.min(letters * 6.2 + 14, width * 0.55);
    const least = (longest * 1.5) / Math.max(width - right, 1);
    return Plot.plot({
      className: CLASS, width, height: chart.bars.length * 34 + 6, marginLeft: 0, marginRight: right, marginTop: 2,
      marginBottom: 2, ariaLabel: `${chart.title}: ${chart.bars.map((bar) => `${bar.name} ${bar.text}`).join("; ")}`,
      x: { domain: [0, longest], axis: null },
      y: { domain: order, type: "band", axis: null, padding: 0 },
      color: { type: "identity" },
      marks: [
        Plot.barX(parts, {
          y: (part) => part.at, x1: (part) => part.from, x2: (part) => Math.max(part.to, part.from + least),
          fill: (part) => tones[part.series], insetTop: 19, insetBottom: 4,
          title: (part) => `${part.bar.name}: ${part.bar.text}`,
        }),
        Plot.text(chart.bars, {
          x: () => 0, y: (_, at) => at, text: (bar) => bar.name, textAnchor: "start", dy: -7, monospace: true,
          lineWidth: width / 11.5, textOverflow: "ellipsis-middle", fill: "var(--text)",
        }),
        Plot.text(chart.bars, {
          x: (bar) => Math.max(d3.sum(bar.values), least), y: (_, at) => at, text: (bar) => bar.text,
          textAnchor: "start", dx: 6, dy: 8, fill: "var(--soft)",
        }),
      ],
    });
  }

  function time(chart, width) {
    const left = 46;
    const right = 16;
    const date = (text) => new Date(text);
    const domain = [date(chart.start), date(chart.end)];
    const scale = d3.scaleUtc(domain, [left, width - right]);
    const rows = rowsOf(chart.markers.map((marker) => scale(date(marker.at))), 19);
    const depth = chart.markers.length ? Math.max(...rows) + 1 : 0;
    const top = 12 + depth * 19;
    const known = chart.windows.filter((window) => window.events !== null);
    const untold = chart.windows.filter((window) => window.events === null);
    const most = d3.max(known, (window) => window.events) || 1;
    const markers = chart.markers.map((marker, at) => ({ ...marker, number: at + 1, row: rows[at] }));
    const colour = { bad: "var(--critical)", doubt: "var(--warning)", good: "var(--data-good)", plain: "var(--soft)" };
    const span = { x1: (each) => date(each.start), x2: (each) => date(each.end) };
    return Plot.plot({
      className: CLASS, width, height: 190 + top, marginLeft: left, marginRight: right, marginTop: top, marginBottom: 24,
      ariaLabel: chart.title, ariaDescription: chart.summary,
      x: { type: "utc", domain, label: null, ticks: Math.max(width / 110, 2), tickFormat: d3.utcFormat("%H:%M:%S") },
      // The strip above all bars is for bursts.
      y: { domain: [0, most * 1.07], label: null },
      color: { type: "identity" },
      marks: [
        Plot.gridY({ ticks: 4 }),
        Plot.axisY({ ticks: 4, tickFormat: tickOf(most), tickSize: 0 }),
        Plot.rect(untold, { ...span, y1: () => 0, y2: () => most, fill: "url(#hatch)", title: (each) => each.text }),
        Plot.rect(markers.filter((marker) => marker.until), {
          x1: (marker) => date(marker.at), x2: (marker) => date(marker.until), y1: () => 0, y2: () => most,
          fill: (marker) => colour[marker.tone], fillOpacity: 0.1,
        }),
        Plot.rect(known, {
          ...span, y1: () => 0, y2: (each) => each.events, fill: "var(--data)", insetLeft: 0.5, insetRight: 0.5,
          title: (each) => each.text, tip: true,
        }),
        Plot.rect(chart.bursts, {
          ...span, y1: () => most * 1.03, y2: () => most * 1.07, fill: "var(--data-burst)", title: (each) => each.text,
        }),
        Plot.ruleX(markers, { x: (marker) => date(marker.at), stroke: (marker) => colour[marker.tone], strokeWidth: 1.5 }),
        ...d3.range(depth).flatMap((row) => {
          const here = markers.filter((marker) => marker.row === row);
          const place = { x: (marker) => date(marker.at), frameAnchor: "top", dy: -10 - 19 * row };
          return [
            Plot.dot(here, { ...place, r: 8.5, fill: (marker) => colour[marker.tone], title: (marker) => marker.text }),
            Plot.text(here, { ...place, text: (marker) => `${marker.number}`, fill: "var(--card)", fontWeight: 700, lineAnchor: "middle" }),
          ];
        }),
        Plot.ruleY([0], { stroke: "var(--soft)" }),
      ],
    });
  }

  const DRAW = { histogram, bars, time };

  // As wide as its place; on paper, whose width no script can ask for, two stand beside each other.
  function draw(id, paper) {
    const chart = podtrace.data.charts[id];
    const place = document.getElementById(id)?.querySelector(".drawing");
    if (!place) return;
    const onPaper = DRAW[chart.kind] === histogram || DRAW[chart.kind] === bars ? paper / 2 - 12 : paper;
    const width = Math.max(paper ? onPaper : place.clientWidth, NARROWEST);
    if (chart.kind === "flame") podtrace.flames.draw(place, chart, width);
    else place.replaceChildren(named(DRAW[chart.kind](chart, width)));
  }

  // To those who listen a chart is one picture with a name and a description; its parts are called "rect" and "text".
  function named(drawing) {
    drawing.setAttribute("role", "img");
    for (const part of drawing.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
    return drawing;
  }

  function drawAll(paper) {
    for (const id of Object.keys(podtrace.data.charts)) draw(id, paper);
  }

  return { draw, drawAll };
})();
