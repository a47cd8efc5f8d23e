// @ts-check
// All steps; their end is followed unless the reader scrolled away.

import { attrs, button, disable, glyph, h, setText, show } from "./dom.js";
import { changeOf } from "./feed.js";
import { follows, largestStep } from "./geometry.js";
import { StepItem } from "./step.js";

/**
 * @typedef {import("./types").Change} Change
 * @typedef {import("./view.js").View} View
 */

const ROWS = 200;
const STARTING =
  "Nothing has been sent yet. The first cell of a kernel loads Anthropic's Python library (the SDK)," +
  " which takes a few seconds.";

export class Transcript {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.earlierText = h("span");
    this.earlierButton = button(
      "bm-button bm-button--plain bm-earlier",
      () => {
        this.most += ROWS;
        view.later(changeOf({ all: true }));
      },
      glyph("up"),
      this.earlierText,
    );
    this.earlier = h("li", "", this.earlierButton);
    this.list = h("ol", "bm-steps", this.earlier);
    this.follow = button("bm-button bm-follow", () => this.toEnd(), "latest", glyph("down"));
    this.follow.hidden = true;
    this.starting = h("p", "bm-starting bm-quiet", STARTING);
    this.el = attrs(h("div", "bm-transcript", this.starting, this.list, this.follow), {
      tabindex: "0",
      role: "region",
      "aria-label": `Transcript of ${view.feed.head.task}, turn ${view.feed.head.turn}`,
    });
    this.logText = h("span");
    this.log = h("details", "bm-log", h("summary", "", glyph("right", "bm-chevron"), this.logText));
    /** @type {Map<number, StepItem>} */
    this.items = new Map();
    this.most = ROWS;
    this.largest = 0;
    this.waiting = "";
    this.following = true;
    this.touched = false;
    this.top = 0;
    this.el.addEventListener("scroll", () => this.scrolled(), { passive: true });
  }

  scrolled() {
    const { scrollTop: top, clientHeight: height, scrollHeight: content } = this.el;
    this.following = follows(this.following, this.top, { top, height, content });
    this.top = top;
    show(this.follow, !this.following);
  }

  toEnd() {
    this.following = true;
    show(this.follow, false);
    this.el.scrollTop = 1e9;
  }

  /** @param {Change} change */
  update(change) {
    const { feed } = this.view;
    const { head } = feed;
    this.place(head.ended);
    setText(this.logText, `Transcript: ${head.steps_text}`);
    show(this.starting, head.state === "starting");
    const numbers = [...feed.steps.keys()].sort((a, b) => a - b);
    const shown = numbers.slice(-this.most);
    this.drawEarlier(numbers.length - shown.length, feed.earlier);
    const waiting = new Set(this.view.gone ? [] : head.approvals.map((asked) => asked.id));
    const largest = largestStep(feed.steps.values());
    const all = change.all || largest !== this.largest || this.waiting !== [...waiting].join();
    this.largest = largest;
    this.waiting = [...waiting].join();
    const kept = new Set(shown);
    for (const [number, item] of this.items) {
      if (kept.has(number)) continue;
      item.el.remove();
      this.items.delete(number);
    }
    this.drawItems(shown, (number) => all || change.steps.has(number), largest, waiting);
    if (this.touched) this.measure();
    else if (this.following) this.el.scrollTop = 1e9;
  }

  /**
   * Put the list into the box while the turn runs, and below a summary once it has ended.
   * @param {boolean} ended
   */
  place(ended) {
    const home = ended ? this.log : this.el;
    if (this.list.parentNode !== home) home.append(this.list);
    show(this.log, ended);
  }

  /**
   * @param {number[]} shown
   * @param {(number: number) => boolean} changed
   * @param {number} largest
   * @param {Set<string>} waiting
   */
  drawItems(shown, changed, largest, waiting) {
    const { feed, memory } = this.view;
    const last = feed.head.ended ? 0 : (shown.at(-1) ?? 0);
    let before = /** @type {Element} */ (this.earlier);
    for (const number of shown) {
      let item = this.items.get(number);
      const isNew = !item;
      if (!item) {
        item = new StepItem(this.view, number);
        this.items.set(number, item);
        before.after(item.el);
      }
      before = item.el;
      const step = feed.steps.get(number);
      const waits = step?.blocks?.some(({ id }) => id && waiting.has(id)) ?? false;
      const open = memory.pinned.get(number) ?? (number === last || waits);
      if (item.details.open !== open) item.details.open = open;
      if (step && (isNew || changed(number))) item.update(step, largest, waiting);
    }
  }

  /** What the reader opens stays where it is; the end is followed only where it is in sight. */
  measure() {
    this.touched = false;
    const { scrollTop: top, clientHeight: height, scrollHeight: content } = this.el;
    this.following = follows(false, top, { top, height, content });
    show(this.follow, !this.following);
  }

  /**
   * @param {number} folded steps that are here and not shown
   * @param {number} unknown steps that the kernel did not send
   */
  drawEarlier(folded, unknown) {
    const count = folded + unknown;
    show(this.earlier, count > 0);
    setText(this.earlierText, `${count} earlier ${count === 1 ? "step" : "steps"}`);
    disable(this.earlierButton, folded === 0);
  }
}
