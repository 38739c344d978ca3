"use strict";
// Two runs as one table, at equal ids: every column once where it says the same, else for A, for B and as difference.
(() => {
  const key = (table, withProtocol) => {
    const ids = table.column.get("id").values;
    const protocols = withProtocol && table.column.get("protocol");
    return protocols ? ids.map((id, row) => `${id}\0${protocols.values[row]}`) : ids;
  };
  const match = (a, b, withProtocol) => {
    const places = new Map();
    key(b, withProtocol).forEach((id, row) => { if (!places.has(id)) places.set(id, row); });
    const rows = [];
    key(a, withProtocol).forEach((id, row) => { if (places.has(id)) rows.push([row, places.get(id)]); });
    return rows;
  };
  const same = (x, y) => x === y || (x !== x && y !== y);
  const taken = (column, rows) => (column.kind === "number" ? Float64Array.from(rows, (row) => column.values[row]) : rows.map((row) => column.values[row]));
  const agreement = (x, y) => (x === null || y === null ? null : x === y ? (x ? "both" : "neither") : x ? "A only" : "B only");

  view.pair = (a, b) => {
    let matched = match(a, b, a.column.has("protocol") && b.column.has("protocol"));
    if (!matched.length) matched = match(a, b, false);
    const [left, right] = [0, 1].map((side) => matched.map((row) => row[side]));
    const columns = [];
    const one = (column, rows, run, more = {}) => columns.push({
      ...column, keys: undefined, run, label: run ? `${column.label} · ${run}` : column.label, values: taken(column, rows), ...more,
    });
    for (const column of a.columns) {
      const other = b.column.get(column.name);
      if (!other || other.kind !== column.kind) {
        one(column, left, "A");
        continue;
      }
      const [x, y] = [taken(column, left), taken(other, right)];
      if (column.name === "id" || x.every((value, i) => same(value, y[i]))) {
        one(column, left, "");
        continue;
      }
      one(column, left, "A");
      one(other, right, "B", { name: `${column.name}@b` });
      if (column.kind === "number") {
        const apart = x.map((value, i) => (same(value, y[i]) && !Number.isNaN(value) ? 0 : y[i] - value));
        const named = { name: `${column.name}@d`, run: "B − A", label: `${column.label}, B − A` };
        columns.push({ ...column, ...named, keys: undefined, values: apart });
      } else if (column.kind === "flag") {
        const where = { kind: "text", name: `${column.name}@d`, run: "agreement", label: `${column.label}, where` };
        columns.push({ ...column, ...where, keys: undefined, values: x.map((value, i) => agreement(value, y[i])) });
      }
    }
    for (const column of b.columns) {
      const other = a.column.get(column.name);
      if (!other || other.kind !== column.kind) one(column, right, "B", { name: `${column.name}@b` });
    }
    const pictures = [];
    for (const [table, rows, run] of [[a, left, "A"], [b, right, "B"]]) {
      for (const p of table.pictures) {
        const shared = p.kind === "original" || p.kind === "source";
        if (shared && run === "B" && a.pictures.some((other) => other.kind === p.kind)) continue;
        pictures.push({ kind: p.kind, label: shared ? p.label : `${p.label} · ${run}`, run: shared ? "" : run, address: (row) => p.address(rows[row]) });
      }
    }
    const table = view.makeTable(matched.length, columns, pictures);
    table.left = { a: a.n - new Set(left).size, b: b.n - new Set(right).size };
    return table;
  };
})();
