"use strict";
// The samples of a run as a table: what a filter leaves of it, and in which order. Nothing here touches the page.
const view = { runs: [], data: [] };

(() => {
  const MOST_CHOICES = 12;
  const LONGEST_CHOICE = 120;
  // Characters that act instead of showing; number signs and joiners are drawn, or shape what is drawn.
  const ACTS = /(?![\u200c\u200d\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}\u{13430}-\u{1343f}])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
  const code = (c) => {
    const point = c.codePointAt(0);
    const digits = point.toString(16);
    return point < 256 ? `\\x${digits.padStart(2, "0")}` : point < 65536 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
  };
  const NAMES = new Set(["seed", "class_id"]); // numbers that nobody adds up
  view.visible = (text) => String(text).replace(ACTS, code);
  view.line = (text) => view.visible(String(text).replace(/\s+/g, " "));
  view.lines = (text) => String(text).split("\n").map(view.visible).join("\n");

  const form = (digits) => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const FORMS = [0, 1, 2, 3, 4].map(form);
  view.number = (value) => {
    if (value === null || Number.isNaN(value)) return "—";
    const size = Math.abs(value);
    if (size === Infinity) return value > 0 ? "∞" : "−∞";
    let text;
    if (Number.isInteger(value) && size < 1e15) text = FORMS[0].format(value);
    else if (size < 1e-4 || size >= 1e7) text = value.toExponential(2);
    else text = FORMS[size >= 1000 ? 0 : size >= 10 ? 2 : size >= 1 ? 3 : 4].format(value);
    return text.replace("-", "−");
  };
  view.cell = (column, row) => {
    const value = column.values[row];
    if (column.kind === "number") return NAMES.has(column.of) && !Number.isNaN(value) ? String(value) : view.number(value);
    if (value === null) return "—";
    return column.kind === "flag" ? (value ? "yes" : "no") : view.line(value);
  };

  const INFINITE = { inf: Infinity, "-inf": -Infinity };
  view.numbers = (values) => Float64Array.from(values, (v) => (v === null ? NaN : (INFINITE[v] ?? Number(v))));

  view.makeTable = (n, columns, pictures) => {
    const table = { n, columns, pictures, column: new Map(columns.map((c) => [c.name, c])) };
    const errors = columns.filter((c) => c.of === "error");
    const titles = ["prompt", "class_id", "id"].map((name) => table.column.get(name)).filter(Boolean);
    table.failed = (row) => errors.some((c) => c.values[row] !== null);
    table.pictured = (row) => pictures.some((p) => p.address(row) !== null);
    table.id = (row) => String(table.column.get("id").values[row]);
    table.title = (row) => {
      const named = titles.find((c) => c.kind === "number" ? !Number.isNaN(c.values[row]) : c.values[row] !== null);
      return named.name === "class_id" ? `class ${named.values[row]}` : view.line(named.values[row]);
    };
    let words = null;
    table.words = (row) => {
      words ??= columns.filter((c) => c.kind === "text").map((c) => c.values);
      table.searched ??= new Array(n);
      return (table.searched[row] ??= words.map((values) => values[row] ?? "").join("\n").normalize("NFC").toLowerCase());
    };
    return table;
  };

  // What a reader looks at first: what was asked, what went wrong, verdicts, measurements; then counts and names.
  const FIRST = ["id", "prompt", "error"];
  const order = (c) => {
    if (FIRST.includes(c.name)) return FIRST.indexOf(c.name);
    return c.kind === "flag" ? 3 : view.aside(c) ? 6 : c.measured ? 4 : 5;
  };
  view.aside = (column) => /(^|_)(sha256|file|meta|notes)$|^target_/.test(column.of);

  view.table = (data) => {
    const columns = data.columns.map((c) => {
      const values = c.kind === "number" ? view.numbers(c.values) : c.values;
      const measured = c.kind === "number" && !view.aside({ of: c.name }) && (c.better !== "" || values.some((v) => v === v && !Number.isInteger(v)));
      return { ...c, values, measured, of: c.name, run: "" };
    }).sort((a, b) => order(a) - order(b));
    const pictures = data.pictures.map((p) => ({
      kind: p.kind,
      label: p.kind,
      address: (row) => (p.files[row] === null ? null : p.base + p.files[row]),
    }));
    return view.makeTable(data.columns[0].values.length, columns, pictures);
  };

  view.choiceOf = (column, row) => {
    const value = column.values[row];
    return value === null ? "none" : column.kind === "flag" ? (value ? "yes" : "no") : value;
  };
  const distinct = (column, n) => {
    const found = new Set();
    for (let row = 0; row < n && found.size <= MOST_CHOICES; row++) found.add(view.choiceOf(column, row));
    return [...found];
  };
  view.choices = (table) => {
    const made = [];
    const part = (test) => {
      let some = 0;
      for (let row = 0; row < table.n; row++) some += test(row) ? 1 : 0;
      return some > 0 && some < table.n;
    };
    const halves = (name, values, test) => {
      if (part(test)) made.push({ name, label: name, values, test: (row, v) => test(row) === (v === values[0]) });
    };
    halves("images", ["with", "without"], table.pictured);
    halves("status", ["done", "failed"], (row) => !table.failed(row));
    for (const column of table.columns) {
      if (column.kind === "number" || column.of === "error" || column.name === "id" || column.name === "sha256") continue;
      const values = distinct(column, table.n);
      if (values.length < 2 || values.length > MOST_CHOICES || values.some((v) => v.length > LONGEST_CHOICE)) continue;
      if (column.kind === "text" && values.length > table.n / 2) continue;
      made.push({ name: column.name, label: column.label, values: values.sort(), test: (row, v) => view.choiceOf(column, row) === v });
    }
    return made;
  };

  view.span = (column) => {
    let low = Infinity;
    let high = -Infinity;
    for (const value of column.values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return [low, high];
  };

  const collator = new Intl.Collator("en", { numeric: true });
  const keys = (column) => {
    if (column.keys) return column.keys;
    if (column.kind === "number") return (column.keys = column.values);
    const values = column.kind === "flag" ? column.values.map((v) => (v === null ? null : Number(v))) : column.values;
    const sorted = [...new Set(values)].filter((v) => v !== null).sort(column.kind === "flag" ? (a, b) => a - b : collator.compare);
    const rank = new Map(sorted.map((value, place) => [value, place]));
    return (column.keys = Float64Array.from(values, (v) => (v === null ? NaN : rank.get(v))));
  };

  // state: { query, ranges: [{ name, low, high }], choices: Map(name → value), sort, down }
  view.select = (table, choices, state) => {
    const tests = [];
    const words = state.query.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) tests.push((row) => words.every((word) => table.words(row).includes(word)));
    for (const range of state.ranges) {
      const column = table.column.get(range.name);
      if (!column || column.kind !== "number" || (Number.isNaN(range.low) && Number.isNaN(range.high))) continue;
      const values = column.values;
      const low = Number.isNaN(range.low) ? -Infinity : range.low;
      const high = Number.isNaN(range.high) ? Infinity : range.high;
      tests.push((row) => values[row] >= low && values[row] <= high);
    }
    for (const choice of choices) {
      const value = state.choices.get(choice.name);
      if (value !== undefined && choice.values.includes(value)) tests.push((row) => choice.test(row, value));
    }
    const rows = [];
    for (let row = 0; row < table.n; row++) if (tests.every((test) => test(row))) rows.push(row);
    const column = table.column.get(state.sort);
    if (column) {
      const by = keys(column);
      const sign = state.down ? -1 : 1;
      rows.sort((a, b) => {
        const x = by[a];
        const y = by[b];
        if (x === y || (x !== x && y !== y)) return a - b;
        return x !== x ? 1 : y !== y ? -1 : sign * (x < y ? -1 : 1);
      });
    } else if (state.down) rows.reverse();
    return rows;
  };
})();
