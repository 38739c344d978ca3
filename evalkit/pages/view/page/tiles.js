"use strict";
// How one sample looks: a tile of the gallery or a row of the table. Texts only ever become text nodes.
(() => {
  view.make = (tag, props = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (name === "role") node.setAttribute(name, value);
      else if (name.startsWith("aria")) node.setAttribute(`aria-${name.slice(4).toLowerCase()}`, value);
      else node[name] = value;
    }
    node.append(...children);
    return node;
  };
  const make = view.make;

  // Images are asked for when scrolling rests, so that a fast scroll over thousands does not decode them all.
  view.images = {
    waiting: new Map(),
    known: new Set(),
    timer: 0,
    moving() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.rest(), 90);
    },
    rest() {
      this.timer = 0;
      for (const [image, address] of this.waiting) if (image.isConnected) this.load(image, address);
      this.waiting.clear();
    },
    load(image, address) {
      this.known.add(address);
      image.src = address;
    },
    make(address, alt) {
      const image = make("img", { alt, decoding: "async", draggable: false });
      image.addEventListener("error", () => image.replaceWith(make("span", { className: "gone" }, "image cannot be read")));
      if (this.timer && !this.known.has(address)) this.waiting.set(image, address);
      else this.load(image, address);
      return image;
    },
  };

  const slot = (table, picture, row, labelled) => {
    const address = picture.address(row);
    const box = make("span", { className: "slot" });
    box.append(address === null ? make("span", { className: "gone" }, table.failed(row) ? "failed" : "no image kept") : view.images.make(address, ""));
    if (labelled) box.append(make("span", { className: "kind" }, view.line(picture.label)));
    return box;
  };

  const badges = (table, row) => table.columns.filter((c) => c.kind === "flag" && c.values[row] !== null).map((c) => {
    const yes = c.values[row];
    return make("span", { className: yes ? "badge yes" : "badge no" }, `${yes ? "✓" : "✗"} ${view.line(c.label)}`);
  });

  view.highlights = (table, sort) => {
    const sorted = table.column.get(sort);
    const first = sorted && sorted.kind === "number" ? [sorted] : [];
    const measured = table.columns.filter((c) => c.measured && c !== sorted && c.run !== "B" && c.run !== "A");
    const rest = first.length ? measured.sort((a, b) => (b.of === first[0].of) - (a.of === first[0].of)) : measured;
    return [...first, ...rest].slice(0, 3);
  };

  view.say = (table, row) => {
    const parts = [table.title(row)];
    if (table.id(row) !== parts[0]) parts.push(view.line(table.id(row)));
    if (table.failed(row)) parts.push("failed");
    for (const c of table.columns) if (c.kind === "flag" && c.values[row] !== null) parts.push(`${view.line(c.label)}: ${c.values[row] ? "yes" : "no"}`);
    return parts.join(", ");
  };

  // Task and protocol: the row's own, else those of its run.
  const terms = (table, row, runs) => ["task", "protocol"].map((name) => {
    const own = table.column.get(name)?.values[row];
    return own ?? [...new Set(runs.map((run) => run.of[name]).filter(Boolean))].join(", ");
  }).filter(Boolean).map(view.line).join(" · ");

  view.gallery = (table, state, count, runs) => {
    const pictures = table.pictures;
    const shown = view.highlights(table, state.sort);
    const across = Math.max(1, pictures.length);
    const CAPTION = table.column.has("prompt") || table.column.has("class_id") ? 114 : 88; // with a line for the id below
    const GAP = 12;
    return {
      head: 0,
      measure(space) {
        const wanted = Math.min(space, state.size * Math.sqrt(across) * (across > 1 ? 1.15 : 1));
        const columns = Math.max(1, Math.floor(space / wanted));
        const width = Math.floor(space / columns);
        const picture = pictures.length ? Math.min((width - GAP) / across, 640) : 0;
        return { across: columns, width, height: Math.round(picture) + CAPTION + GAP, gap: GAP };
      },
      draw(row, position) {
        const tile = make("div", { className: "tile", role: "option", ariaLabel: view.say(table, row), ariaPosinset: position + 1, ariaSetsize: count });
        if (pictures.length) tile.append(make("div", { className: "slots" }, ...pictures.map((p) => slot(table, p, row, pictures.length > 1))));
        const title = table.title(row);
        const id = view.line(table.id(row));
        const caption = make("div", { className: CAPTION > 88 ? "caption" : "caption low" }, make("bdi", { className: "asked" }, title));
        if (table.failed(row)) {
          const error = table.columns.find((c) => c.of === "error" && c.values[row] !== null);
          caption.append(make("bdi", { className: "error" }, view.line(error.values[row])));
        }
        const known = shown.filter((c) => !Number.isNaN(c.values[row]));
        const numbers = known.map((c) => make("span", {}, `${view.line(c.label)} `, make("b", {}, view.cell(c, row))));
        caption.append(make("div", { className: "scores" }, ...badges(table, row), ...numbers));
        if (id !== title) caption.append(make("bdi", { className: "soft" }, id));
        caption.append(make("bdi", { className: "soft terms-line" }, terms(table, row, runs)));
        tile.append(caption);
        return tile;
      },
    };
  };

  const SIZES = new Map([["id", 220], ["prompt", 320]]);
  const size = (column) => SIZES.get(column.of) ?? { number: 118, flag: 90, text: 170 }[column.kind];
  view.tableColumns = (table) => table.columns.filter((c) => !view.aside(c));

  view.rows = (table, state, head, sort) => {
    const ROW = 60;
    const columns = view.tableColumns(table);
    const pictures = 56 * table.pictures.length;
    const total = columns.reduce((sum, c) => sum + size(c), pictures);
    head.replaceChildren(make("span", { role: "columnheader", className: "cell" }, make("span", { className: "hidden" }, "images")));
    head.firstChild.style.width = `${pictures}px`;
    for (const column of columns) {
      const sorted = state.sort === column.name;
      const arrow = sorted ? (state.down ? " ↓" : " ↑") : "";
      const about = view.line(column.about || column.label);
      const button = make("button", { type: "button", className: "plain", title: about }, view.line(column.label), arrow);
      button.addEventListener("click", () => sort(column));
      const ordered = sorted ? (state.down ? "descending" : "ascending") : "none";
      const kind = column.kind === "number" ? "cell right" : "cell";
      const cell = make("span", { role: "columnheader", className: kind, ariaSort: ordered }, button);
      cell.style.width = `${size(column)}px`;
      head.append(cell);
    }
    head.style.width = `${total}px`;
    return {
      head: 40,
      measure: () => ({ across: 1, width: total, height: ROW, gap: 0, total }),
      draw(row, position) {
        const line = make("div", { className: "row", role: "row", ariaRowindex: position + 2 });
        const images = make("span", { role: "gridcell", className: "cell thumbs" }, ...table.pictures.map((p) => slot(table, p, row, false)));
        images.style.width = `${pictures}px`;
        line.append(images);
        for (const column of columns) {
          const value = view.cell(column, row);
          const kind = column.kind === "number" ? "cell right" : column.of === "error" && value !== "—" ? "cell error" : "cell";
          const title = column.kind === "text" && value.length > 20 ? value.slice(0, 600) : "";
          const cell = make("span", { role: "gridcell", className: kind, title }, make("bdi", {}, value.slice(0, 300)));
          cell.style.width = `${size(column)}px`;
          line.append(cell);
        }
        return line;
      },
    };
  };
})();
