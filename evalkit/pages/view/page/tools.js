"use strict";
// The controls: which run, beside which other, what is searched, filtered and sorted. They change the state and say so.
view.Tools = class {
  constructor(root, changed) {
    Object.assign(this, { root, changed });
    root.addEventListener("submit", (event) => event.preventDefault());
  }

  build(table, choices, state) {
    Object.assign(this, { table, state });
    const make = view.make;
    const label = (text, node) => make("label", {}, text, node);
    const several = view.runs.length > 1;
    const names = view.runs.map((run, i) => [String(i), view.line(run.name)]);
    const parts = [];
    if (several) {
      parts.push(label("Run", this.select(names, String(state.run), (v) => this.changed({ run: Number(v) }))));
      const others = [["", "no other run"], ...names.filter(([i]) => Number(i) !== state.run)];
      const chosen = state.beside === null ? "" : String(state.beside);
      parts.push(label("beside", this.select(others, chosen, (v) => this.changed({ beside: v === "" ? null : Number(v) }))));
    }
    this.search = make("input", { type: "search", value: state.query, placeholder: "prompt, name, text …", autocomplete: "off" });
    this.search.addEventListener("input", () => this.changed({ query: this.search.value }));
    parts.push(label("Search", this.search));
    for (const choice of choices) {
      const options = [["", "all"], ...choice.values.map((v) => [v, view.line(v)])];
      parts.push(label(view.line(choice.label), this.select(options, state.choices.get(choice.name) ?? "", (v) => {
        const next = new Map(state.choices);
        if (v === "") next.delete(choice.name);
        else next.set(choice.name, v);
        this.changed({ choices: next });
      })));
    }
    this.ranges = make("span", { className: "ranges" });
    const numbers = table.columns.filter((c) => c.kind === "number");
    if (numbers.length) {
      const more = make("button", { type: "button" }, "Add a range");
      more.addEventListener("click", () => {
        const used = new Set(this.state.ranges.map((r) => r.name));
        const column = table.column.get(this.state.sort);
        const start = (column && column.kind === "number" && !used.has(column.name) && column) || numbers.find((c) => c.measured && !used.has(c.name)) || numbers[0];
        this.state.ranges.push({ name: start.name, low: NaN, high: NaN });
        this.drawRanges(numbers);
        this.ranges.lastChild.querySelector("input").focus();
      });
      parts.push(this.ranges, more);
    }
    const orders = [["", "as in the run"], ...table.columns.map((c) => [c.name, view.line(c.label)])];
    const turn = make("button", { type: "button" });
    const say = () => {
      turn.textContent = state.down ? "↓ falling" : "↑ rising";
      turn.setAttribute("aria-label", `Order: ${state.down ? "falling" : "rising"}; change`);
    };
    say();
    turn.addEventListener("click", () => { this.changed({ down: !state.down }); say(); });
    this.order = this.select(orders, state.sort, (v) => this.changed({ sort: v }));
    this.turned = say;
    parts.push(make("span", { className: "pair" }, label("Order", this.order), turn));
    const look = (name, text) => {
      const button = make("button", { type: "button", ariaPressed: String(state.look === name) }, text);
      button.addEventListener("click", () => {
        this.changed({ look: name });
        for (const each of this.looks) each.setAttribute("aria-pressed", String(each === button));
      });
      return button;
    };
    this.looks = [look("gallery", "Gallery"), look("table", "Table")];
    parts.push(make("span", { className: "pair looks", role: "group", ariaLabel: "How to show the samples" }, ...this.looks));
    const size = make("input", { type: "range", min: "110", max: "420", step: "10", value: String(state.size), ariaLabel: "Size of the tiles" });
    size.addEventListener("input", () => this.changed({ size: Number(size.value) }));
    parts.push(label("Size", size));
    const reset = make("button", { type: "button" }, "Reset");
    reset.addEventListener("click", () => this.changed({ reset: true }));
    parts.push(reset);
    this.root.replaceChildren(...parts);
    this.drawRanges(numbers);
  }

  select(options, value, chosen) {
    const node = view.make("select", {}, ...options.map(([v, text]) => view.make("option", { value: v }, text.length > 60 ? `${text.slice(0, 59)}…` : text)));
    node.value = value;
    node.addEventListener("change", () => chosen(node.value));
    return node;
  }

  // The order may also be changed by the head of the table.
  sorted(state) {
    this.order.value = state.sort;
    this.turned();
  }

  drawRanges(numbers) {
    const make = view.make;
    this.ranges.replaceChildren(...this.state.ranges.map((range) => {
      const column = this.table.column.get(range.name) || numbers[0];
      const [low, high] = view.span(column);
      const bound = (name, value, placeholder, side) => {
        const hint = Number.isFinite(placeholder) ? String(Number(placeholder.toPrecision(4))) : "";
        const said = `${side} ${view.line(column.label)}`;
        const input = make("input", { type: "number", step: "any", placeholder: hint, ariaLabel: said });
        if (!Number.isNaN(value)) input.value = String(value);
        input.addEventListener("input", () => { range[name] = input.value === "" ? NaN : Number(input.value); this.changed({}); });
        return input;
      };
      const redraw = () => { this.drawRanges(numbers); this.changed({}); };
      const metric = this.select(numbers.map((c) => [c.name, view.line(c.label)]), column.name, (v) => {
        Object.assign(range, { name: v, low: NaN, high: NaN });
        redraw();
      });
      metric.setAttribute("aria-label", "Number to filter by");
      const drop = make("button", { type: "button", ariaLabel: `Remove the range of ${view.line(column.label)}` }, "×");
      drop.addEventListener("click", () => { this.state.ranges.splice(this.state.ranges.indexOf(range), 1); redraw(); });
      return make("span", { className: "pair range" }, metric, bound("low", range.low, low, "least"), "to", bound("high", range.high, high, "most"), drop);
    }));
  }
};
