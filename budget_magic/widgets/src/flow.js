// @ts-check
// Text that grows, in chunks that a browser need not lay out while they are out of sight.

import { h } from "./dom.js";
import { chunkBreak } from "./geometry.js";

/** @typedef {import("./types").Stream} Stream */

export class Flow {
  constructor() {
    this.el = h("div", "bm-flow");
    this.el.dir = "auto";
    /** @type {Text | null} */
    this.node = null;
    this.length = 0;
    this.parts = 0;
    this.start = -1;
  }

  /**
   * Show the text of a stream that is not rendered yet.
   * @param {Stream} stream
   */
  paint(stream) {
    if (this.start !== stream.start) {
      this.start = stream.start;
      this.parts = 0;
      this.node = null;
      this.el.replaceChildren();
      if (stream.start > stream.rendered) this.add("…");
    }
    this.add(stream.parts.slice(this.parts).join(""));
    this.parts = stream.parts.length;
  }

  /** @param {string} text */
  add(text) {
    while (text) {
      if (!this.node) {
        this.node = document.createTextNode("");
        this.el.append(h("div", "bm-chunk", this.node));
        this.length = 0;
      }
      const at = chunkBreak(this.length, text);
      const piece = at < 0 ? text : text.slice(0, at);
      this.node.appendData(piece);
      this.length += piece.length;
      text = text.slice(piece.length);
      if (at >= 0) this.node = null;
    }
  }
}
