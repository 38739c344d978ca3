"use strict";
// One sample in full: its images, their difference, every number and text, and the way to the run's own files.
view.Detail = class {
  constructor(step, closed) {
    const make = view.make;
    Object.assign(this, { step, differing: false });
    this.title = make("bdi", { className: "id" });
    this.place = make("span", { className: "soft" });
    this.scale = make("span", { className: "soft", role: "status" });
    const button = (text, label, act) => {
      const node = make("button", { type: "button", title: label, ariaLabel: label }, text);
      node.addEventListener("click", act);
      return node;
    };
    this.before = button("←", "Previous sample (left arrow)", () => step(-1));
    this.after = button("→", "Next sample (right arrow)", () => step(1));
    this.here = make("a", { title: "The address of this sample: copy it from here" }, "Link");
    this.here.addEventListener("click", (event) => { event.preventDefault(); this.copy(); });
    this.difference = button("Difference ×4", "Difference of the last two images, four times as strong (d)", () => this.toggle());
    this.stage = make("div", { className: "stage" });
    this.zoom = new view.Zoom(this.stage);
    this.stage.addEventListener("zoomed", (event) => { this.scale.textContent = `${Math.round(event.detail.pixel * 100)} %`; });
    this.zooms = make("div", { className: "zooms" },
      button("−", "Smaller (minus)", () => this.zoom.by(0.5)),
      button("+", "Larger (plus)", () => this.zoom.by(2)),
      button("Fit", "Fit the images (0)", () => this.zoom.fit()),
      button("1:1", "One pixel a pixel (1)", () => this.zoom.exact()),
      this.scale, this.difference);
    this.facts = make("div", { className: "about" });
    this.dialog = make("dialog", { className: "detail", ariaLabel: "Sample" },
      make("div", { className: "bar" }, this.title, this.place, this.here, this.before, this.after, button("Help", "Keys (?)", () => view.help.show()), button("Close", "Close (escape)", () => this.dialog.close())),
      this.stage, this.zooms, this.facts);
    this.dialog.addEventListener("close", closed);
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    document.body.append(this.dialog);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts = {
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), "+": () => this.zoom.by(2), "=": () => this.zoom.by(2), "-": () => this.zoom.by(0.5),
      0: () => this.zoom.fit(), 1: () => this.zoom.exact(), d: () => this.toggle(), "?": () => view.help.show(),
    };
    if (!(event.key in acts)) return;
    acts[event.key]();
    event.preventDefault();
  }

  // Pages from disk may have no clipboard; the address bar and the link itself still hold the address.
  copy() {
    const said = (word) => { this.here.textContent = word; setTimeout(() => { this.here.textContent = "Link"; }, 1500); };
    history.replaceState(null, "", this.here.href);
    if (!navigator.clipboard) said("in the address bar");
    else navigator.clipboard.writeText(location.href).then(() => said("copied"), () => said("in the address bar"));
  }

  toggle() {
    if (this.difference.hidden) return;
    this.differing = !this.differing;
    this.draw();
  }

  show(table, row, place, count, runs, address) {
    this.here.href = address;
    Object.assign(this, { table, row });
    this.title.textContent = view.line(table.id(row));
    this.place.textContent = `${(place + 1).toLocaleString("en")} of ${count.toLocaleString("en")}`;
    this.before.disabled = place === 0;
    this.after.disabled = place === count - 1;
    this.draw();
    this.facts.replaceChildren(...this.texts(), this.scores(), this.links(runs));
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
  }

  draw() {
    const make = view.make;
    const there = this.table.pictures.map((p) => [p, p.address(this.row)]).filter(([, address]) => address !== null);
    const id = view.line(this.table.id(this.row));
    const layer = (address, alt) => make("div", { className: "layer" }, view.images.make(address, alt));
    const figure = (name, ...layers) => {
      const pane = make("div", { className: "pane" }, ...layers);
      return [pane, make("figure", {}, pane, make("figcaption", {}, make("bdi", {}, name)))];
    };
    const made = there.map(([p, address]) => figure(view.line(p.label), layer(address, `${view.line(p.label)} of ${id}`)));
    this.difference.hidden = there.length < 2;
    this.difference.setAttribute("aria-pressed", String(this.differing));
    if (this.differing && there.length > 1) {
      const [[p, a], [q, b]] = there.slice(-2);
      const name = `difference of ${view.line(p.label)} and ${view.line(q.label)}, ×4`;
      const [pane, whole] = figure(name, layer(a, `Difference of the images of ${id}`), layer(b, ""));
      pane.classList.add("apart");
      made.push([pane, whole]);
    }
    this.zooms.hidden = !made.length;
    this.stage.hidden = !made.length;
    this.stage.replaceChildren(...made.map(([, whole]) => whole));
    this.zoom.show(made.map(([pane]) => pane));
    const again = () => this.zoom.set(this.zoom.scale, this.zoom.x, this.zoom.y);
    for (const image of this.stage.querySelectorAll("img")) image.addEventListener("load", again, { once: true });
  }

  texts() {
    const make = view.make;
    const list = make("dl", { className: "texts" });
    for (const column of this.table.columns) {
      const value = column.values[this.row];
      if (column.kind !== "text" || value === null || column.name === "id") continue;
      const lines = view.lines(value);
      const shown = lines === "" ? make("span", { className: "soft" }, "empty") : lines;
      const kind = column.of === "error" ? "error" : "";
      list.append(make("dt", {}, view.line(column.label)), make("dd", { dir: "auto", className: kind }, shown));
    }
    return list.children.length ? [list] : [];
  }

  scores() {
    const make = view.make;
    const rows = new Map(); // by the metric both runs have
    for (const column of this.table.columns) {
      if (column.kind === "text") continue;
      if (column.values[this.row] === null || Number.isNaN(column.values[this.row])) continue;
      if (!rows.has(column.of)) rows.set(column.of, []);
      rows.get(column.of).push(column);
    }
    const sides = this.table.columns.some((c) => c.run) ? ["A", "B", "B − A"] : [""];
    const body = make("tbody");
    for (const columns of rows.values()) {
      const name = view.line(columns[0].label).replace(/( · [AB]|, B − A)$/, "");
      const cells = sides.map((side) => {
        const column = columns.find((c) => c.run === side) || (side !== "B − A" && columns.find((c) => c.run === ""));
        const value = column ? column.values[this.row] : NaN;
        const judged = side === "B − A" && column && column.better && value;
        const good = judged ? ((value > 0) === (column.better === "higher") ? "better" : "worse") : "";
        const said = good ? make("span", { className: "hidden" }, `, ${good}`) : "";
        return make("td", { className: `right ${good}` }, column ? view.cell(column, this.row) : "—", said);
      });
      const { about, better } = columns[0];
      const words = better === "higher" ? "higher is better" : "lower is better";
      const arrow = better ? make("abbr", { className: "arrow", title: words, ariaLabel: words }, better === "higher" ? " ↑" : " ↓") : "";
      body.append(make("tr", {}, make("th", { scope: "row", title: view.line(about) }, name, arrow), ...cells));
    }
    const table = make("table", { className: "numbers" });
    if (sides.length > 1) {
      const heads = sides.map((side) => make("th", { scope: "col", className: "right" }, side));
      table.append(make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "number"), ...heads)));
    }
    table.append(body);
    return table;
  }

  links(runs) {
    const make = view.make;
    const all = this.table.pictures.map((p) => [view.line(p.label), p.address(this.row)]);
    const pictures = all.filter(([, address]) => address !== null);
    const link = ([word, address]) => make("a", { href: address, target: "_blank", rel: "noopener" }, word);
    const line = (what, links) => make("p", { className: "links" }, make("bdi", { className: "soft" }, what), ...links.map(link));
    const own = runs.map((run) => line(`${runs.length > 1 ? `${run.letter} ` : ""}${view.line(run.name)}`, run.links));
    return make("div", {}, ...(pictures.length ? [line("image files", pictures)] : []), ...own);
  }
};
