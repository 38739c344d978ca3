"use strict";
// The page: keeps the state (also in the address, so that a view can be bookmarked), loads runs, and redraws.
(() => {
  const byId = (id) => document.getElementById(id);
  const make = view.make;
  const fresh = () => ({ run: 0, beside: null, query: "", choices: new Map(), ranges: [], sort: "", down: false, look: "gallery", size: 190, sample: "", under: "" });
  let state = fresh();
  let table = null;
  let choices = [];
  let rows = [];
  let at = -1;

  const load = (number) => (view.data[number] ? Promise.resolve() : new Promise((done, failed) => {
    const script = make("script", { src: `data/${number}.js` });
    script.addEventListener("load", done);
    script.addEventListener("error", () => failed(new Error(`data/${number}.js cannot be read`)));
    document.head.append(script);
  }));
  const tables = [];
  const tableOf = (number) => (tables[number] ??= view.table(view.data[number]));

  const read = () => {
    const said = new URLSearchParams(location.hash.slice(1));
    const next = fresh();
    const whole = (name, none) => (/^\d+$/.test(said.get(name) ?? "") && Number(said.get(name)) < view.runs.length ? Number(said.get(name)) : none);
    next.run = whole("run", 0);
    next.beside = whole("beside", null);
    if (next.beside === next.run) next.beside = null;
    next.query = said.get("q") ?? "";
    const sort = said.get("sort") ?? "";
    next.down = sort.startsWith("-");
    next.sort = sort.replace(/^-/, "");
    next.look = said.get("look") === "table" ? "table" : "gallery";
    const size = Number(said.get("size"));
    if (size >= 110 && size <= 420) next.size = size;
    next.sample = said.get("sample") ?? "";
    next.under = said.get("under") ?? "";
    for (const [name, value] of said) {
      if (name.startsWith("is.")) next.choices.set(name.slice(3), value);
      if (name.startsWith("in.")) {
        const [low, high] = value.split("..").map((part) => (part === "" || part === undefined ? NaN : Number(part)));
        next.ranges.push({ name: name.slice(3), low, high: high ?? NaN });
      }
    }
    return { next, empty: [...said].length === 0 };
  };
  const protocolOf = (row) => table.column.get("protocol")?.values[row] ?? "";
  const address = () => {
    const said = new URLSearchParams();
    if (view.runs.length > 1) said.set("run", state.run);
    if (state.beside !== null) said.set("beside", state.beside);
    if (state.query) said.set("q", state.query);
    if (state.sort || state.down) said.set("sort", (state.down ? "-" : "") + state.sort);
    if (state.look !== "gallery") said.set("look", state.look);
    if (state.size !== 190) said.set("size", state.size);
    for (const [name, value] of state.choices) said.set(`is.${name}`, value);
    const bound = (value) => (Number.isNaN(value) ? "" : value);
    for (const range of state.ranges) said.append(`in.${range.name}`, `${bound(range.low)}..${bound(range.high)}`);
    if (at >= 0) {
      said.set("sample", table.id(rows[at]));
      if (protocolOf(rows[at])) said.set("under", protocolOf(rows[at]));
    }
    return `#${said}`;
  };
  let writing = 0;
  const write = () => {
    clearTimeout(writing);
    writing = setTimeout(() => history.replaceState(null, "", address()), 250);
  };

  const list = new view.List(byId("samples"), byId("canvas"), (position) => open(position));
  const detail = new view.Detail((step) => { if (at + step >= 0 && at + step < rows.length) open(at + step); }, () => {
    const last = at;
    at = -1;
    write();
    if (last >= 0) list.go(last);
  });
  const shownRuns = () => [state.run, state.beside].filter((i) => i !== null).map((i, place) => ({ ...view.runs[i], letter: "AB"[place] }));
  function open(position) {
    at = position;
    detail.show(table, rows[position], position, rows.length, shownRuns(), address());
    write();
  }

  const sort = (column) => {
    if (state.sort === column.name) state.down = !state.down;
    else Object.assign(state, { sort: column.name, down: column.kind === "number" });
    tools.sorted(state);
    draw();
    byId("head").querySelector("[aria-sort$=ending] button")?.focus();
  };
  const draw = () => {
    rows = view.select(table, choices, state);
    const all = table.n.toLocaleString("en");
    const count = rows.length === table.n ? `${all} ${table.n === 1 ? "sample" : "samples"}` : `${rows.length.toLocaleString("en")} of ${all} samples`;
    byId("count").textContent = rows.length || !table.n ? count : `None of ${all} samples fits these filters`;
    const [scroller, head, canvas] = ["samples", "head", "canvas"].map(byId);
    const tabular = state.look === "table";
    scroller.classList.toggle("tabular", tabular);
    const set = (node, values) => {
      for (const [name, value] of Object.entries(values)) value === null ? node.removeAttribute(name) : node.setAttribute(name, value);
    };
    set(scroller, {
      role: tabular ? "grid" : null,
      "aria-label": tabular ? "Samples" : null,
      "aria-rowcount": tabular ? rows.length + 1 : null,
      "aria-colcount": tabular ? view.tableColumns(table).length + 1 : null,
    });
    set(canvas, tabular ? { role: "rowgroup", "aria-label": null } : { role: rows.length ? "listbox" : null, "aria-label": rows.length ? "Samples" : null });
    set(head, { role: tabular ? "row" : null });
    head.hidden = !tabular;
    list.show(rows, tabular ? view.rows(table, state, head, sort) : view.gallery(table, state, rows.length, shownRuns()));
    write();
  };

  const heading = () => {
    const runs = shownRuns();
    const names = runs.map((run) => view.line(run.name));
    byId("title").replaceChildren(...names.map((name, i) => make("bdi", {}, runs.length > 1 ? make("span", { className: "letter" }, runs[i].letter) : "", name)));
    byId("line").replaceChildren(make("bdi", {}, [...new Set(runs.map((run) => view.line(run.line)))].join(" · ")));
    document.title = `${names.join(" and ")} · samples · evalkit`;
    const of = (run, words) => (runs.length > 1 ? `${run.letter}: ${words}` : words);
    const links = runs.flatMap((run) => run.links.map(([word, address]) => make("a", { href: address }, of(run, word))));
    const terms = runs.map((run) => {
      const fact = ([term, value]) => [make("dt", {}, view.line(term)), make("dd", {}, make("bdi", {}, view.line(value)))];
      const facts = make("dl", { className: "facts" }, ...run.terms.flatMap(fact));
      return make("details", { className: "terms" }, make("summary", {}, of(run, "what was run")), facts);
    });
    byId("links").replaceChildren(...links, ...terms);
    const left = table.left;
    const notes = [];
    if (left && left.a) notes.push(`${left.a.toLocaleString("en")} only in A`);
    if (left && left.b) notes.push(`${left.b.toLocaleString("en")} only in B`);
    byId("note").textContent = notes.length ? `at equal ids; ${notes.join(", ")}` : "";
  };

  const usual = () => { // where few images were kept, the page begins with those
    let kept = 0;
    for (let row = 0; row < table.n; row++) kept += table.pictured(row) ? 1 : 0;
    return kept && kept < table.n / 2 ? new Map([["images", "with"]]) : new Map();
  };
  const begin = async (usually) => {
    const wanted = state;
    try {
      await Promise.all([state.run, state.beside].filter((i) => i !== null).map(load));
    } catch (error) {
      byId("count").textContent = `${error.message}; write the view again`;
      return;
    }
    if (wanted !== state) return; // another run was chosen meanwhile
    table = state.beside === null ? tableOf(state.run) : view.pair(tableOf(state.run), tableOf(state.beside));
    choices = view.choices(table);
    if (usually) state.choices = usual();
    if (!table.column.has(state.sort)) state.sort = "";
    state.ranges = state.ranges.filter((range) => table.column.has(range.name));
    heading();
    tools.build(table, choices, state);
    draw();
    const asked = state.sample;
    const under = state.under;
    Object.assign(state, { sample: "", under: "" });
    const place = asked ? rows.findIndex((row) => table.id(row) === asked && (!under || protocolOf(row) === under)) : -1;
    if (place >= 0) open(place);
  };
  const tools = new view.Tools(byId("tools"), (patch) => {
    if (patch.reset) {
      state = { ...fresh(), run: state.run, beside: state.beside, look: state.look, size: state.size };
      begin(false);
    } else if ("run" in patch || "beside" in patch) {
      state = { ...state, ...patch };
      if (state.beside === state.run) state.beside = null;
      begin(false);
    } else {
      Object.assign(state, patch);
      draw();
    }
  });

  const start = () => {
    const { next, empty } = read();
    state = next;
    begin(empty);
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || detail.dialog.open || event.target.matches("input, select, textarea")) return;
    if (event.key === "?") view.help.show();
    else if (event.key === "/") {
      byId("filters").open = true;
      tools.search.focus();
    } else return;
    event.preventDefault();
  });
  byId("keys").addEventListener("click", () => view.help.show());
  addEventListener("hashchange", () => { if (detail.dialog.open) { at = -1; detail.dialog.close(); } start(); });
  byId("filters").open = matchMedia("(min-width: 48rem) and (min-height: 34rem)").matches;
  if (view.runs.length) start();
  else byId("count").textContent = "data/runs.js cannot be read; write the view again";
})();
