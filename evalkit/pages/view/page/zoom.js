"use strict";
// Images beside each other that zoom and move together.
view.Zoom = class {
  static MOST = 64; // times the fitted size

  constructor(stage) {
    Object.assign(this, { stage, scale: 1, x: 0, y: 0, panes: [] });
    stage.addEventListener("wheel", (event) => {
      const pane = event.target.closest(".pane");
      if (!pane) return;
      event.preventDefault();
      const box = pane.getBoundingClientRect();
      this.by(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    stage.addEventListener("pointerdown", (event) => {
      if (event.button || !event.target.closest(".pane") || this.scale === 1) return;
      stage.setPointerCapture(event.pointerId);
      const start = { x: this.x - event.clientX, y: this.y - event.clientY };
      const move = (e) => this.set(this.scale, start.x + e.clientX, start.y + e.clientY);
      const end = () => {
        stage.removeEventListener("pointermove", move);
        for (const name of ["pointerup", "pointercancel"]) stage.removeEventListener(name, end);
      };
      stage.addEventListener("pointermove", move);
      for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, end);
    });
    stage.addEventListener("dblclick", (event) => {
      const pane = event.target.closest(".pane");
      if (!pane) return;
      const box = pane.getBoundingClientRect();
      if (this.scale > 1) this.fit();
      else this.by(4, event.clientX - box.left, event.clientY - box.top);
    });
    new ResizeObserver(() => this.fit()).observe(stage);
  }

  // The panes lie in the stage already.
  show(panes) {
    this.panes = panes;
    this.fit();
  }

  fit() { this.set(1, 0, 0); }

  // Size of a pane, and how large an image's pixel is in it at scale 1.
  get frame() {
    const pane = this.panes[0];
    const image = pane && pane.querySelector("img");
    const [width, height] = pane ? [pane.clientWidth, pane.clientHeight] : [1, 1];
    const pixel = image && image.naturalWidth ? Math.min(width / image.naturalWidth, height / image.naturalHeight) : 1;
    return { width, height, pixel };
  }

  by(factor, x, y) {
    const { width, height } = this.frame;
    const [cx, cy] = [x ?? width / 2, y ?? height / 2];
    const scale = Math.max(1, Math.min(view.Zoom.MOST, this.scale * factor));
    const grown = scale / this.scale;
    this.set(scale, cx - (cx - this.x) * grown, cy - (cy - this.y) * grown);
  }

  exact() {
    const { width, height, pixel } = this.frame;
    const scale = Math.max(1, 1 / pixel);
    this.set(scale, (width - width * scale) / 2, (height - height * scale) / 2);
  }

  set(scale, x, y) {
    const { width, height, pixel } = this.frame;
    this.scale = scale;
    this.x = Math.min(0, Math.max(width - width * scale, x));
    this.y = Math.min(0, Math.max(height - height * scale, y));
    for (const pane of this.panes) {
      for (const layer of pane.querySelectorAll(".layer")) layer.style.transform = `translate(${this.x}px, ${this.y}px) scale(${scale})`;
      pane.classList.toggle("pixels", pixel * scale >= 2);
      pane.classList.toggle("zoomed", scale > 1);
    }
    this.stage.dispatchEvent(new CustomEvent("zoomed", { detail: { scale, pixel: pixel * scale } }));
  }
};
