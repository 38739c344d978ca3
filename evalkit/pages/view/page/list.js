"use strict";
// A list of any length of which only what is in sight exists: tiles in rows, or the rows of a table.
view.List = class {
  static MOST = 8e6; // px; browsers draw nothing beyond 17 to 33 million
  static OVER = 2; // rows drawn beyond either edge

  constructor(scroller, canvas, opened) {
    Object.assign(this, { scroller, canvas, opened, items: [], nodes: new Map(), active: 0, style: null, planned: 0 });
    scroller.addEventListener("scroll", () => { view.images.moving(); this.later(); }, { passive: true });
    new ResizeObserver(() => this.layout()).observe(scroller);
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("click", (event) => {
      const node = event.target.closest("[data-position]");
      if (node) this.open(Number(node.dataset.position));
    });
  }

  // style: { measure(width) → { across, width, height, total }, draw(item, position) → node, head: px above the rows }
  show(items, style) {
    this.items = items;
    this.style = style;
    this.active = 0;
    this.scroller.scrollTop = 0;
    this.layout();
  }

  layout() {
    if (!this.style) return;
    const { paddingLeft, paddingRight } = getComputedStyle(this.scroller);
    this.size = this.style.measure(this.scroller.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight));
    this.rows = Math.ceil(this.items.length / this.size.across);
    this.full = this.rows * this.size.height;
    this.canvas.style.height = `${Math.min(this.full, view.List.MOST)}px`;
    this.canvas.style.width = this.size.total ? `${this.size.total}px` : "";
    for (const node of this.nodes.values()) node.remove();
    this.nodes.clear();
    this.render();
  }

  later() {
    if (!this.planned) this.planned = requestAnimationFrame(() => { this.planned = 0; this.render(); });
  }

  get sight() { return Math.max(1, this.scroller.clientHeight - this.style.head); }

  // Where the rows in sight begin, in px of the whole list: the canvas is shorter than a very long list.
  get ratio() { return this.full > view.List.MOST ? (this.full - this.sight) / (view.List.MOST - this.sight) : 1; }
  get top() { return this.scroller.scrollTop * this.ratio; }

  render() {
    const { across, height, width } = this.size;
    const top = this.top;
    const shift = top - this.scroller.scrollTop;
    const first = Math.max(0, Math.floor(top / height) - view.List.OVER) * across;
    const last = Math.min(this.items.length, (Math.ceil((top + this.sight) / height) + view.List.OVER) * across);
    const focused = this.canvas.contains(document.activeElement);
    if (!focused && this.items.length) this.active = Math.min(this.items.length - 1, Math.ceil(top / height) * across);
    for (const [position, node] of this.nodes) {
      if ((position < first || position >= last) && !(focused && position === this.active)) {
        node.remove();
        this.nodes.delete(position);
      }
    }
    for (let position = first; position < last; position++) if (!this.nodes.has(position)) this.add(position);
    for (const [position, node] of this.nodes) {
      node.style.transform = `translate(${(position % across) * width}px, ${Math.floor(position / across) * height - shift}px)`;
      node.tabIndex = position === this.active ? 0 : -1;
    }
  }

  add(position) {
    const node = this.style.draw(this.items[position], position);
    node.dataset.position = position;
    node.tabIndex = -1;
    node.style.width = `${this.size.width - this.size.gap}px`;
    node.style.height = `${this.size.height - this.size.gap}px`;
    this.nodes.set(position, node);
    // Screen readers follow the order of the document, scrolling does not.
    let after = null;
    let nearest = Infinity;
    for (const [other, each] of this.nodes) if (other > position && other < nearest) [nearest, after] = [other, each];
    this.canvas.insertBefore(node, after);
  }

  go(position) {
    if (!this.items.length) return;
    this.active = Math.max(0, Math.min(this.items.length - 1, position));
    const start = Math.floor(this.active / this.size.across) * this.size.height;
    const end = start + this.size.height;
    let top = this.top;
    if (start < top) top = start;
    else if (end > top + this.sight) top = end - this.sight;
    if (top !== this.top) this.scroller.scrollTop = top / this.ratio;
    if (!this.nodes.has(this.active)) this.add(this.active);
    this.nodes.get(this.active).focus({ preventScroll: true });
    this.render();
  }

  open(position) {
    this.active = position;
    this.opened(position);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { across, height } = this.size;
    const page = Math.max(1, Math.floor(this.sight / height)) * across;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.go(this.active + steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.open(this.active);
    else return;
    event.preventDefault();
  }
};
