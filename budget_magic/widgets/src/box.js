// @ts-check
// The box of one height that holds notices, approval and transcript while the turn runs.

import { attrs, h, show } from "./dom.js";
import { boxHeight } from "./geometry.js";

/** @typedef {import("./view.js").View} View */

const KEY_STEP = 20;

export class Box {
  /**
   * @param {View} view
   * @param {...HTMLElement} parts
   */
  constructor(view, ...parts) {
    this.view = view;
    this.el = h("div", "bm-box", ...parts);
    this.grip = attrs(h("div", "bm-resize"), {
      role: "separator",
      tabindex: "0",
      "aria-orientation": "horizontal",
      "aria-label": "Height of the transcript",
      "aria-valuemin": boxHeight(0),
      "aria-valuemax": boxHeight(Number.MAX_SAFE_INTEGER),
      title: "Drag, or use the up and down keys",
    });
    this.grip.addEventListener("pointerdown", (event) => this.drag(event));
    this.grip.addEventListener("keydown", (event) => {
      const by = { ArrowDown: KEY_STEP, ArrowUp: -KEY_STEP }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      this.resize(this.el.offsetHeight + by);
    });
    if (view.memory.height) this.resize(view.memory.height);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const from = event.clientY;
    const height = this.el.offsetHeight;
    this.grip.setPointerCapture(event.pointerId);
    const move = (/** @type {PointerEvent} */ now) => this.resize(height + now.clientY - from);
    const end = () => this.grip.removeEventListener("pointermove", move);
    this.grip.addEventListener("pointermove", move);
    this.grip.addEventListener("lostpointercapture", end, { once: true });
  }

  /** @param {number} height in pixels */
  resize(height) {
    const allowed = boxHeight(height);
    this.view.memory.height = allowed;
    this.view.el.style.setProperty("--bm-height", `${allowed}px`);
    attrs(this.grip, { "aria-valuenow": allowed });
    this.view.transcript.scrolled();
  }

  /** @param {boolean} shown */
  show(shown) {
    show(this.el, shown);
    show(this.grip, shown);
    if (shown && !this.grip.hasAttribute("aria-valuenow"))
      attrs(this.grip, { "aria-valuenow": this.el.offsetHeight });
  }
}
