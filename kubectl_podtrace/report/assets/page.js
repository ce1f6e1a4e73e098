// The page itself: the data that everything else draws, colours, and which section is being read.
"use strict";

const podtrace = {
  data: null,

  // Long data are packed, short ones stand as they are.
  async load() {
    const holder = document.getElementById("report-data");
    if (!holder.dataset.packed) return JSON.parse(holder.textContent);
    const bytes = Uint8Array.from(atob(holder.textContent), (letter) => letter.charCodeAt(0));
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(unpacked).text());
  },

  // An element with attributes and children; strings become text, never markup.
  element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  },

  offerColours() {
    const choices = ["system", "light", "dark"];
    let chosen = choices[0];
    const button = document.getElementById("theme");
    button.parentElement.hidden = false;
    button.addEventListener("click", () => {
      chosen = choices[(choices.indexOf(chosen) + 1) % choices.length];
      button.textContent = `Colours: ${chosen}`;
      if (chosen === choices[0]) delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = chosen;
    });
  },

  followReader() {
    const links = new Map();
    for (const link of document.querySelectorAll(".contents a")) links.set(link.hash.slice(1), link);
    const seen = new Set();
    const observer = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) seen.add(entry.target.id);
        else seen.delete(entry.target.id);
      }
      const first = [...links.keys()].find((id) => seen.has(id));
      for (const [id, link] of links) {
        if (id === first) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    }, { rootMargin: "-10% 0px -60% 0px" });
    for (const id of links.keys()) {
      const section = document.getElementById(id);
      if (section) observer.observe(section);
    }
  },
};
