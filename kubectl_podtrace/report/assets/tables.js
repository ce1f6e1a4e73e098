// Tables: ordered by any column, filtered by words, a page of rows at a time.
"use strict";

podtrace.tables = (() => {
  const { element } = podtrace;
  const SIZES = [10, 50, 200];
  const COUNT = /^[+-]?[\d,]+$/;

  // What a cell is ordered by: its number where it has one, else its text; a dash comes after everything.
  function keyOf(row, place, numbers) {
    const cell = Array.isArray(row.cells[place]) ? row.cells[place][0] : row.cells[place];
    const known = numbers[place]?.[row.at];
    if (known !== undefined && known !== null) return known;
    if (COUNT.test(cell)) return Number(cell.replaceAll(",", ""));
    return cell === "-" || cell === "" ? null : cell;
  }

  function compare(first, second) {
    if (typeof first === "number" && typeof second === "number") return first - second;
    return String(first).localeCompare(String(second), "en", { numeric: true });
  }

  class Table {
    constructor(place, data) {
      this.place = place;
      this.body = place.querySelector("tbody");
      this.rights = [...place.querySelectorAll("th")].map((head) => head.classList.contains("number"));
      this.numbers = data.numbers;
      this.other = data.other;
      this.rows = data.rows.map((cells, at) => ({ cells, at }));
      this.found = this.rows;
      this.order = null;
      this.size = SIZES[0];
      this.page = 0;
    }

    enhance() {
      if (this.rows.length < 2) return;
      const heads = [...this.place.querySelectorAll("th")];
      heads.forEach((head, place) => {
        const title = head.textContent;
        head.replaceChildren(element("button", { type: "button", onclick: () => this.orderBy(place) }, title));
      });
      this.heads = heads;
      if (this.rows.length <= SIZES[0]) {
        // The document itself has all of them: they are moved, not drawn anew.
        this.standing = [...this.body.rows];
        return;
      }
      this.addTools();
      this.show();
    }

    addTools() {
      const name = this.place.querySelector("caption").textContent;
      this.filter = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
      this.filter.addEventListener("input", () => this.search());
      this.shown = element("span", { class: "shown", "aria-live": "polite" });
      this.before = element("button", { type: "button", onclick: () => this.turn(-1), "aria-label": "Rows before" }, "‹");
      this.after = element("button", { type: "button", onclick: () => this.turn(1), "aria-label": "Rows after" }, "›");
      const sizes = SIZES.filter((size, at) => at === 0 || SIZES[at - 1] < this.rows.length);
      const select = element("select", { onchange: () => this.resize(Number(select.value)) },
        ...sizes.map((size) => element("option", { value: size }, `${size} rows`)));
      select.setAttribute("aria-label", "Rows at a time");
      this.place.before(element("div", { class: "tools", role: "group", "aria-label": name },
        element("label", {}, "Filter ", this.filter), this.shown, select, this.before, this.after));
      const note = this.place.nextElementSibling;
      // Paper cannot turn pages; the screen has the tools above.
      this.note = element("p", { class: "more on-paper" });
      if (note?.classList.contains("more")) note.replaceWith(this.note);
      else this.place.after(this.note);
    }

    search() {
      const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      this.texts ??= this.rows.map((row) => row.cells.flat().join(" ").toLowerCase());
      this.found = this.rows.filter((row) => words.every((word) => this.texts[row.at].includes(word)));
      this.page = 0;
      this.sort();
      this.show();
    }

    orderBy(place) {
      // Numbers come largest first, names from A; a second time turns that round, a third gives the report's own order.
      const first = this.rights[place] ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      if (this.order?.place !== place) this.order = { place, direction: first };
      else if (this.order.direction === first) this.order = { place, direction: second };
      else this.order = null;
      this.heads.forEach((head, at) => {
        if (this.order?.place === at) head.setAttribute("aria-sort", this.order.direction);
        else head.removeAttribute("aria-sort");
      });
      this.page = 0;
      this.sort();
      this.show();
    }

    sort() {
      if (!this.order) {
        this.found = [...this.found].sort((one, two) => one.at - two.at);
        return;
      }
      const { place, direction } = this.order;
      const sign = direction === "ascending" ? 1 : -1;
      const keys = new Map(this.found.map((row) => [row, keyOf(row, place, this.numbers)]));
      this.found = [...this.found].sort((one, two) => {
        const [first, second] = [keys.get(one), keys.get(two)];
        if (first === null || second === null) return (first === null) - (second === null) || one.at - two.at;
        return sign * compare(first, second) || one.at - two.at;
      });
    }

    turn(by) {
      this.page += by;
      this.show();
    }

    resize(size) {
      this.size = size;
      this.page = 0;
      this.show();
    }

    show() {
      const pages = Math.max(Math.ceil(this.found.length / this.size), 1);
      const start = this.page * this.size;
      const rows = this.found.slice(start, start + this.size);
      if (this.standing) {
        this.body.replaceChildren(...rows.map((row) => this.standing[row.at]), ...this.standing.slice(this.rows.length));
        return;
      }
      const drawn = rows.map((row) => this.draw(row.cells));
      // What the list does not hold belongs to no place in it.
      if (this.other && this.page === pages - 1 && !this.filter.value) drawn.push(this.draw(this.other, "other"));
      this.body.replaceChildren(...drawn);
      const total = this.rows.length;
      const of = this.found.length === total ? `${total}` : `${this.found.length} found of ${total}`;
      this.shown.textContent = rows.length ? `${start + 1}–${start + rows.length} of ${of}` : `none of ${total}`;
      this.before.disabled = this.page === 0;
      this.after.disabled = this.page >= pages - 1;
      this.note.textContent = rows.length < total
        ? `${rows.length} of ${total} rows are shown here. The file has all of them: open it in a browser.`
        : "";
    }

    draw(cells, kind) {
      return element("tr", { class: kind }, ...cells.map((cell, place) => {
        const [first, ...lines] = Array.isArray(cell) ? cell : [cell];
        const name = place === cells.length - 1 ? "name" : undefined;
        return element("td", { class: this.rights[place] ? "number" : name }, first,
          ...lines.map((line) => element("span", { class: "line" }, line)));
      }));
    }
  }

  function start() {
    for (const [id, data] of Object.entries(podtrace.data.tables)) {
      const place = document.getElementById(id);
      if (place) new Table(place, data).enhance();
    }
  }

  return { start };
})();
