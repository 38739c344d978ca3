"use strict";
// The page reads without this file; it shows one board at a time, sorts, filters, and opens a system.
const board = { runs: {}, pairs: {}, html: {} };
(() => {
  const at = (id) => document.getElementById(id);
  const make = (tag, props = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  };
  const sections = [...document.querySelectorAll("section.board")];
  const [tools, choose, filter, hollow, look, said, detail] = ["tools", "choose", "filter", "hollow", "look", "said", "detail"].map(at);

  const loaded = new Map();
  const load = (source) => {
    if (!loaded.has(source)) {
      loaded.set(source, new Promise((done, failed) => {
        const script = make("script", { src: source });
        script.addEventListener("load", done);
        script.addEventListener("error", () => { loaded.delete(source); script.remove(); failed(new Error(`${source} is not beside this page`)); });
        document.body.append(script);
      }));
    }
    return loaded.get(source);
  };

  const number = (value) => {
    if (value === null || value === undefined) return "—";
    const x = Number(String(value).replace("inf", "Infinity"));
    if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
    const size = Math.abs(x);
    if (size === 0) return "0";
    const text = size < 1e-4 || size >= 1e7 ? x.toExponential(2) : x.toLocaleString("en-US", { useGrouping: size >= 1000, minimumFractionDigits: size >= 1000 ? 0 : size >= 10 ? 2 : size >= 1 ? 3 : 4, maximumFractionDigits: size >= 1000 ? 0 : size >= 10 ? 2 : size >= 1 ? 3 : 4 });
    return text.replace("-", "−");
  };

  // sorting: the ranking's own order is the first one of the column "rank"
  const sortable = (table) => {
    const body = table.tBodies[0];
    const first = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    const value = (row, i, kind) => {
      if (kind === "text") return row.querySelector(".name").textContent.toLowerCase();
      const text = row.cells[i].dataset.value;
      return text === "" || text === "nan" ? NaN : Number(text.replace("inf", "Infinity"));
    };
    heads.forEach((head, i) => {
      if (!head.dataset.sort) return;
      const button = make("button", { type: "button", className: "plain" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const sign = up ? 1 : -1;
        const rows = first.map((row, place) => ({ row, place, key: value(row, i, head.dataset.sort) }));
        rows.sort((a, b) => {
          if (typeof a.key === "string") return sign * a.key.localeCompare(b.key) || a.place - b.place;
          const gone = Number.isNaN(a.key) - Number.isNaN(b.key);
          return gone || (a.key === b.key || Number.isNaN(a.key) ? 0 : sign * (a.key < b.key ? -1 : 1)) || a.place - b.place;
        });
        const ranked = i === 0 && up;
        for (const { row } of rows) {
          row.classList.toggle("no-tier", !ranked);
          body.append(row);
        }
        said.textContent = `sorted by ${button.textContent}, ${up ? "ascending" : "descending"}`;
      });
    });
    if (heads[0]) heads[0].setAttribute("aria-sort", "ascending");
  };

  const names = (section) => {
    for (const row of section.querySelectorAll("tr[data-run]")) {
      const name = row.querySelector("bdi.name");
      const button = make("button", { type: "button", className: "name" });
      button.setAttribute("aria-haspopup", "dialog");
      name.replaceWith(button);
      name.className = "";
      button.append(name);
      button.addEventListener("click", () => open(Number(row.dataset.run), section).catch((error) => { said.textContent = error.message; }));
    }
  };

  const prepare = (section) => {
    if (section.dataset.ready) return;
    section.dataset.ready = "yes";
    for (const table of section.querySelectorAll("table.ranking")) sortable(table);
    names(section);
    sift(section);
  };

  const sift = (section) => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const row of section.querySelectorAll("table.ranking tbody tr:not(.head)")) {
      const text = row.querySelector("th").textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      if (!row.hidden && row.dataset.run) left += 1;
    }
    return left;
  };

  // the overview: one task at a time, and the systems that are looked for
  const [families, family] = ["families", "family"].map(at);
  const overview = () => {
    for (const cell of document.querySelectorAll("table.overview [data-f]")) cell.hidden = family.value !== "" && cell.dataset.f !== family.value;
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of document.querySelectorAll("table.overview tbody tr")) row.hidden = !wanted.every((word) => row.cells[0].textContent.toLowerCase().includes(word));
  };
  if (families) {
    families.hidden = false;
    families.addEventListener("submit", (event) => event.preventDefault());
    family.addEventListener("change", overview);
    overview();
  }

  let current = null;
  const show = async (id) => {
    const section = sections.find((each) => each.id === id) || sections[0];
    if (!section) return;
    current = section;
    choose.value = section.id;
    for (const each of sections) each.hidden = each !== section;
    if (section.dataset.src && !board.html[section.id]) {
      try { await load(section.dataset.src); } catch (error) { section.append(make("p", { className: "note" }, error.message)); return; }
    }
    if (section.dataset.src && !section.dataset.ready) {
      section.innerHTML = board.html[section.id];
      section.setAttribute("aria-labelledby", `${section.id}-title`);
    }
    prepare(section);
    sift(section);
  };

  // a system: what was run, how it differs from every other one, its worst and best samples
  const open = async (run, section) => {
    const id = section.querySelector("table.ranking").dataset.board;
    await Promise.all([load(`data/run-${run}.js`), load(`data/pairs-${id}.js`)]);
    const told = board.runs[run];
    const close = make("button", { type: "button" }, "Close");
    close.addEventListener("click", () => detail.close());
    const links = told.links.map(([word, address]) => make("a", { href: address }, word));
    const facts = make("dl", { className: "facts" });
    for (const [term, value] of told.terms) facts.append(make("dt", {}, term), make("dd", {}, make("bdi", {}, value)));
    detail.replaceChildren(
      make("div", { className: "top" }, make("h2", { id: "detail-title" }, make("bdi", {}, told.name)), close),
      make("p", { className: "soft" }, section.querySelector("h2").innerText),
      make("p", { className: "links" }, ...links),
      ...differences(run, id, section),
      ...samples(told, id, section),
      make("details", {}, make("summary", {}, "What was run"), facts),
    );
    detail.showModal();
  };

  const differences = (run, id, section) => {
    const pairs = board.pairs[id];
    const m = pairs.entrants.length;
    const mine = pairs.entrants.indexOf(run);
    if (m < 2) return [];
    const plain = (i) => Number(String(pairs.values[i]).replace("inf", "Infinity"));
    const error = (i, j) => { const [a, b] = i < j ? [i, j] : [j, i]; return pairs.errors[a * m - (a * (a + 1)) / 2 + (b - a - 1)]; };
    const sign = pairs.better === "higher" ? 1 : -1;
    const rows = pairs.entrants.map((other, i) => ({ other, i })).filter(({ i }) => i !== mine).map(({ other, i }) => {
      const apart = plain(mine) - plain(i);
      const wrong = error(mine, i);
      const known = wrong !== null && Number.isFinite(apart) && pairs.critical !== null;
      const sure = known && Math.abs(apart) > pairs.critical * wrong;
      const words = !known ? "no interval" : !sure ? "not separated" : sign * apart > 0 ? "better at 95 %" : "worse at 95 %";
      const bounds = known ? `${number(apart - pairs.factor * wrong)} to ${number(apart + pairs.factor * wrong)}` : "—";
      const name = section.querySelector(`tr[data-run="${other}"] .name`).textContent;
      return make("tr", {}, Object.assign(make("th", { scope: "row" }), {}), make("td", { className: "right" }, number(Number.isNaN(apart) ? 0 : apart)), make("td", { className: "right soft" }, bounds), make("td", { className: sure ? "certain" : "soft" }, words), name);
    });
    for (const row of rows) row.cells[0].append(make("bdi", {}, row.lastChild.textContent)), row.lastChild.remove();
    const head = make("tr", {}, ...["against", "difference", "95 % interval", "among all pairs"].map((word, i) => Object.assign(make("th", { scope: "col", className: i === 1 || i === 2 ? "right" : "" }), { textContent: word })));
    const table = make("table", { className: "differences" }, make("thead", {}, head), make("tbody", {}, ...rows));
    const wide = make("div", { className: "wide", tabIndex: 0 }, table);
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", "Differences from every other system");
    return [make("h3", {}, `This system minus each other one${pairs.unit ? `, in ${pairs.unit}` : ""}`), wide];
  };

  const samples = (told, id, section) => {
    const found = told.samples[id];
    if (!found || !found.length) return [make("h3", {}, "Samples"), make("p", { className: "soft" }, "This number is not the sum of samples that the run lists; its record says how it was made.")];
    return ["worst", "best"].flatMap((end) => {
      const mine = found.filter((each) => each.end === end);
      if (!mine.length) return [];
      return [make("h3", {}, `${end[0].toUpperCase()}${end.slice(1)} samples`), make("ul", { className: "samples" }, ...mine.map((each) => {
        const shown = Object.entries(each.pictures || {}).map(([kind, address]) => make("figure", {}, make("img", { loading: "lazy", decoding: "async", src: address, alt: `${kind} of ${each.id}` }), make("figcaption", {}, kind)));
        const words = [make("b", {}, number(each.value)), make("bdi", {}, each.id)];
        if (each.prompt) words.push(make("p", { className: "soft", dir: "auto" }, each.prompt));
        return make("li", {}, shown.length ? make("div", { className: "shown" }, ...shown) : null, make("div", { className: "told" }, ...words));
      }))];
    }).concat(make("p", { className: "soft" }, "All samples: evalkit view with the folder of the run."));
  };

  detail.addEventListener("click", (event) => { if (event.target === detail) detail.close(); });
  tools.addEventListener("submit", (event) => event.preventDefault());
  choose.addEventListener("change", () => { location.hash = choose.value; });
  filter.addEventListener("input", () => { if (families) overview(); const left = sift(current); said.textContent = `${left} systems shown`; });
  hollow.addEventListener("change", () => document.body.classList.toggle("no-hollow", !hollow.checked));
  look.addEventListener("change", () => { if (look.value) document.documentElement.dataset.look = look.value; else delete document.documentElement.dataset.look; });
  addEventListener("hashchange", () => { const id = location.hash.slice(1); if (sections.some((each) => each.id === id)) { show(id); tools.scrollIntoView(); } });
  addEventListener("beforeprint", () => { for (const each of sections) { each.hidden = false; if (!each.dataset.src) prepare(each); } });
  addEventListener("afterprint", () => show(current.id));
  at("hollow-label").hidden = !document.querySelector(".reported, [data-src]");
  tools.hidden = false;
  show(location.hash.slice(1));
})();
