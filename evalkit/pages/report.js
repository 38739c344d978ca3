"use strict";
// The page reads without this file; it adds filters, orders and a closer look at images.
(() => {
  const make = (tag, props = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  };
  const before = (node) => {
    const last = node.previousElementSibling;
    if (last && last.classList.contains("tools")) return last;
    const tools = make("div", { className: "tools" });
    node.before(tools);
    return tools;
  };

  for (const area of document.querySelectorAll("[data-filter]")) {
    const rows = [...area.querySelectorAll(area.dataset.filterRows)];
    if (rows.length < 8) continue;
    const words = rows.map((row) => {
      const group = row.closest("tbody").querySelector(".head") || row.closest("table").caption;
      const title = row.querySelector("th[title]");
      return [row.textContent, title ? title.title : "", group ? group.textContent : ""].join(" ").toLowerCase();
    });
    const input = make("input", { type: "search", placeholder: "psnr, text, photos …", autocomplete: "off" });
    if (area.querySelector(".failed")) input.placeholder = "name or reason …";
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, i) => { row.hidden = !wanted.every((word) => words[i].includes(word)); });
      for (const body of area.querySelectorAll("tbody")) {
        const empty = ![...body.rows].some((row) => !row.hidden && !row.classList.contains("head"));
        body.hidden = empty;
        const card = body.closest(".card");
        if (card) card.hidden = empty;
      }
    });
    before(area).append(make("label", {}, area.dataset.filter, input));
  }

  for (const table of document.querySelectorAll("table.compare")) {
    const runs = table.tHead.rows[0].cells.length - 2;
    const order = (row) => {
      const value = (i) => (row.cells[i].dataset.value === "" ? NaN : Number(row.cells[i].dataset.value.replace("inf", "Infinity")));
      const sign = row.dataset.better === "higher" ? -1 : 1;
      const places = Array.from({ length: runs }, (_, i) => i + 1);
      places.sort((a, b) => (Number.isNaN(value(a)) - Number.isNaN(value(b))) || sign * (value(a) - value(b)) || 0);
      for (const each of table.rows) {
        if (each.classList.contains("head")) continue;
        const cells = [...each.cells];
        const last = cells[runs + 1];
        for (const place of places) last.before(cells[place]);
      }
    };
    if (runs < 2) continue;
    for (const row of table.querySelectorAll("tr[data-better]")) {
      const label = row.querySelector(".label");
      const button = make("button", { type: "button", className: "plain", title: "Order the runs by this metric" }, ...label.childNodes);
      label.append(button);
      button.addEventListener("click", () => order(row));
    }
  }

  for (const table of document.querySelectorAll("table[data-sort-rows]")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = make("button", { type: "button", className: "plain" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        const text = (row) => row.cells[column].textContent;
        const value = (row) => Number(row.cells[column].dataset.value || NaN);
        rows.sort((a, b) => (Number.isNaN(value(a)) - Number.isNaN(value(b)))
          || (up ? 1 : -1) * ((value(a) - value(b)) || text(a).localeCompare(text(b), "en", { numeric: true })));
        table.tBodies[0].append(...rows);
      });
    });
  }

  for (const grid of document.querySelectorAll("[data-sortable]")) {
    const figures = [...grid.children];
    if (figures.length < 3) continue;
    const names = [...new Set(figures.flatMap((f) => f.dataset.scores.split("|").filter(Boolean)))];
    const score = (figure, name) => {
      const place = figure.dataset.scores.split("|").indexOf(name);
      return place < 0 ? NaN : Number(figure.getAttribute(`data-score-${place}`));
    };
    const select = make("select", {}, make("option", { value: "" }, "largest squared error first"));
    for (const name of names) select.append(make("option", { value: name }, `${name}, lowest first`));
    select.append(make("option", { value: "/" }, "name"));
    select.addEventListener("change", () => {
      const rows = [...figures];
      if (select.value === "/") rows.sort((a, b) => a.dataset.id.localeCompare(b.dataset.id, "en", { numeric: true }));
      else if (select.value) rows.sort((a, b) => (Number.isNaN(score(a, select.value)) - Number.isNaN(score(b, select.value))) || score(a, select.value) - score(b, select.value) || 0);
      grid.append(...rows);
    });
    before(grid).append(make("label", {}, "Order", select));
  }

  const dialog = make("dialog");
  if (typeof dialog.showModal === "function") {
    const title = make("bdi", { className: "id" });
    const views = make("div");
    const image = make("img", { alt: "" });
    const close = make("button", { type: "button" }, "Close");
    const bar = make("div", {}, title, close);
    dialog.append(make("div", { className: "viewer" }, bar, image, views));
    dialog.setAttribute("aria-label", "Closer look; arrow keys switch between the images");
    document.body.append(dialog);
    let pictures = [];
    let at = 0;
    const show = (index) => {
      at = (index + pictures.length) % pictures.length;
      image.src = pictures[at].src;
      image.alt = pictures[at].alt;
      [...views.children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === at)));
    };
    const open = (figure, index) => {
      pictures = [...figure.querySelectorAll("img[data-kind]")];
      title.textContent = figure.dataset.id;
      views.replaceChildren(...pictures.map((picture, i) => {
        const button = make("button", { type: "button" }, picture.dataset.kind);
        button.addEventListener("click", () => show(i));
        return button;
      }));
      show(index);
      dialog.showModal();
    };
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") show(at + 1);
      else if (event.key === "ArrowLeft") show(at - 1);
      else return;
      event.preventDefault();
    });
    for (const figure of document.querySelectorAll("figure.triple")) {
      [...figure.querySelectorAll("img[data-kind]")].forEach((picture, i) => {
        const button = make("button", { type: "button", className: "open" });
        button.setAttribute("aria-label", `Closer look: ${picture.alt}`);
        picture.replaceWith(button);
        button.append(picture);
        button.addEventListener("click", () => open(figure, i));
      });
    }
  }

  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
  });
})();
