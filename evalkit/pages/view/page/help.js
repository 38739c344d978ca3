"use strict";
// What the keys do, on "?". The table stands in docs/view.md too.
view.help = {
  KEYS: [
    ["/", "go to the search"],
    ["↑ ↓ PageUp PageDown Home End", "move in the gallery or the table"],
    ["Enter", "open the sample"],
    ["← →", "previous and next sample"],
    ["+ − 0 1", "zoom in, out, fit, one pixel a pixel"],
    ["d", "difference of the last two images"],
    ["?", "this help"],
    ["Escape", "close"],
  ],
  show() {
    this.dialog ??= this.make();
    if (!this.dialog.open) this.dialog.showModal();
  },
  make() {
    const make = view.make;
    const close = make("button", { type: "button" }, "Close");
    const row = ([keys, what]) => make("tr", {}, make("th", { scope: "row" }, ...keys.split(" ").flatMap((key) => [make("kbd", {}, key), " "])), make("td", {}, what));
    const dialog = make("dialog", { className: "detail help", ariaLabel: "Keys" },
      make("div", { className: "bar" }, make("h2", { className: "id" }, "Keys"), close),
      make("table", { className: "numbers" }, make("tbody", {}, ...this.KEYS.map(row))),
      make("p", { className: "soft" }, "The address of the page holds run, filters, order and the open sample: it can be kept or sent."));
    close.addEventListener("click", () => dialog.close());
    document.body.append(dialog);
    return dialog;
  },
};
