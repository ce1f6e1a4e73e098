// Tables at once, charts while nothing else is to be done, in the order of the page; all of them before printing.
"use strict";

(() => {
  const PAPER_WIDTH = 690;
  const SLICE_MS = 30;
  const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 0));
  let waiting = [];

  function drawSome() {
    const until = performance.now() + SLICE_MS;
    while (waiting.length && performance.now() < until) podtrace.charts.draw(waiting.shift());
    if (waiting.length) whenIdle(drawSome, { timeout: 200 });
    else finish();
  }

  function finish() {
    document.documentElement.dataset.drawn = "all";
    performance.mark("drawn");
  }

  let width = document.documentElement.clientWidth;
  let timer = 0;
  function redraw() {
    if (document.documentElement.clientWidth === width) return;
    width = document.documentElement.clientWidth;
    podtrace.charts.drawAll();
  }
  window.addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(redraw, 150);
  });
  window.addEventListener("beforeprint", () => podtrace.charts.drawAll(PAPER_WIDTH));
  window.addEventListener("afterprint", () => podtrace.charts.drawAll());

  async function start() {
    podtrace.offerColours();
    podtrace.followReader();
    podtrace.data = await podtrace.load();
    waiting = Object.keys(podtrace.data.charts);
    podtrace.tables.start();
    performance.mark("ready");
    document.documentElement.dataset.ready = "yes";
    whenIdle(drawSome, { timeout: 200 });
  }

  start();
})();
