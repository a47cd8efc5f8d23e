// @ts-check
// One view of a turn: everything in one element, painted once per animation frame.

import { Approvals } from "./approval.js";
import { Box } from "./box.js";
import { Details } from "./details.js";
import { attrs, h, rendered, setText, show } from "./dom.js";
import { changeOf } from "./feed.js";
import { Header } from "./header.js";
import { Memory } from "./memory.js";
import { Notes, Verdict } from "./notes.js";
import { Popovers } from "./popovers.js";
import { Transcript } from "./transcript.js";

/**
 * @typedef {import("./types").Change} Change
 * @typedef {import("./types").Head} Head
 * @typedef {import("./feed.js").Feed} Feed
 */

const STOP_UNHEARD_MS = 1500;
const FRAME_MS = 16;
const FOLLOWING = 4; // Node.DOCUMENT_POSITION_FOLLOWING
const QUIET = { "data-lm-suppress-shortcuts": "true" };

export class View {
  /**
   * @param {Feed} feed
   * @param {(content: object) => void} send
   */
  constructor(feed, send) {
    this.feed = feed;
    this.send = send;
    this.memory = new Memory();
    this.memory.task = feed.head.task ?? "";
    this.stopping = false;
    this.stopUnheard = false;
    this.gone = false;
    this.done = -1;
    this.frame = 0;
    this.paintedAt = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {Change} */
    this.change = changeOf({ all: true });
    this.el = attrs(h("div", "budget-magic"), { role: "group", ...QUIET });
    this.header = new Header(this);
    this.details = new Details(this);
    this.popovers = new Popovers(this);
    this.verdict = new Verdict();
    this.notes = new Notes(this);
    this.approvals = new Approvals(this);
    this.transcript = new Transcript(this);
    this.box = new Box(this, this.approvals.el, this.transcript.el);
    this.promptText = attrs(h("p"), { dir: "auto" });
    this.promptNote = h("p", "bm-words");
    const prompt = h("div", "", this.promptText, this.promptNote);
    this.prompt = h("div", "bm-prompt", h("span", "", "Prompt"), prompt);
    this.answer = attrs(h("section", "bm-answer"), { "aria-label": "Answer" });
    this.polite = attrs(h("div", "bm-sr"), { "aria-live": "polite" });
    this.urgent = attrs(h("div", "bm-sr"), { "aria-live": "assertive" });
    this.el.append(
      this.header.el,
      this.details.el,
      this.verdict.el,
      ...this.popovers.els,
      this.box.el,
      this.box.grip,
      this.prompt,
      this.answer,
      this.transcript.log,
      this.polite,
      this.urgent,
    );
    // The notebook's commands match the focused element itself before they look above it; so what
    // has the focus says that they are not meant, else d d on a button would delete the cell.
    this.el.addEventListener("focusin", ({ target }) => {
      if (target instanceof Element) attrs(target, QUIET);
    });
    this.el.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.closePopover();
    });
    if (this.memory.details) this.details.open(true);
    /** @type {(change: Change) => void} */
    this.heard = (change) => this.later(change);
    feed.listeners.add(this.heard);
  }

  /**
   * Return the state as it is shown, and its word.
   * @param {Head} head
   */
  state(head) {
    if (this.gone && !head.ended) return { state: "gone", word: "No kernel" };
    if (this.stopping && !head.ended) return { state: "stopping", word: "Stopping" };
    return { state: head.state, word: head.word };
  }

  /**
   * Return whether buttons that need the kernel do not work.
   * @param {Head} head
   */
  isDead(head) {
    return this.gone || head.no_events || head.state === "starting";
  }

  /**
   * Keep a call that waits in view: from then on, open details stand below it.
   * @param {Head} head
   */
  makeWay(head) {
    const { details, box } = this;
    if (head.approvals.length && details.el.compareDocumentPosition(box.el) & FOLLOWING)
      box.grip.after(details.el);
  }

  /** @param {Change} change */
  later(change) {
    for (const key of change.head) this.change.head.add(key);
    for (const number of change.steps) this.change.steps.add(number);
    this.change.all ||= change.all;
    if (this.frame) return;
    // The first change of a frame is in it; those that follow wait for the next one.
    if (performance.now() - this.paintedAt > FRAME_MS) this.paint();
    else this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    this.paintedAt = performance.now();
    const { change, feed } = this;
    const { head } = feed;
    if (!head.state) return;
    this.change = changeOf();
    if (change.all || change.head.size) this.paintHead(head, change);
    this.transcript.update(change);
    this.announce();
  }

  /**
   * @param {Head} head
   * @param {Change} change
   */
  paintHead(head, change) {
    attrs(this.el, { "aria-label": `Claude task ${head.task}, turn ${head.turn}` });
    this.header.update(head);
    this.details.update(head);
    this.popovers.update(head);
    this.verdict.update(head);
    this.notes.update(head);
    this.approvals.update(head);
    this.makeWay(head);
    this.box.show(!head.ended);
    const home = head.ended ? this.verdict.el : this.approvals.el;
    if (head.ended && this.notes.el.previousElementSibling !== home) home.after(this.notes.el);
    else if (!head.ended && this.notes.el.nextElementSibling !== home) home.before(this.notes.el);
    setText(this.promptText, head.prompt);
    setText(this.promptNote, head.prompt_note);
    show(this.prompt, head.ended && Boolean(head.prompt));
    show(this.answer, head.ended && Boolean(head.answer));
    if (!change.all && !change.head.has("answer") && !change.head.has("cut")) return;
    const cut = head.cut ? [h("span", "bm-cut", "cut off here")] : [];
    this.answer.replaceChildren(rendered("bm-prose", head.answer), ...cut);
  }

  announce() {
    const done = [...this.feed.steps.values()].filter(({ row }) => row.state === "done");
    const last = done.at(-1)?.number ?? 0;
    const { number, caption } = this.feed.head.gauge;
    if (this.done >= 0 && last > this.done)
      setText(this.polite, `step ${last} done, ${number} ${caption}`);
    this.done = last;
  }

  /** Close what is open above the transcript; its button gets the focus. */
  closePopover() {
    const name = this.popovers.close();
    if (name) this.header[name].focus();
  }

  stop() {
    this.stopping = true;
    this.send({ k: "stop" });
    this.timer = setTimeout(() => {
      this.stopUnheard = true;
      this.later(changeOf({ head: ["notes"] }));
    }, STOP_UNHEARD_MS);
    this.later(changeOf({ head: ["state"] }));
  }

  /** The kernel is gone: nothing comes any more. */
  lose() {
    if (this.gone || this.feed.head.ended) return;
    this.gone = true;
    this.later(changeOf({ head: ["state"], all: true }));
  }

  remove() {
    this.feed.listeners.delete(this.heard);
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.el.remove();
  }
}
