// @ts-check
// Where a page is hidden: the tab's title says that a person is needed, or that a long turn ended.

/** @typedef {import("./types").Head} Head */

const LONG_MS = 60_000;

export class Attention {
  /** @param {() => number} now clock in milliseconds */
  constructor(now = () => Date.now()) {
    this.now = now;
    this.since = now();
    this.state = "";
    this.title = "";
    this.word = "";
    this.seen = () => this.look();
    document.addEventListener("visibilitychange", this.seen);
  }

  /** @param {Head} head */
  update(head) {
    const state = head.ended ? "ended" : head.state;
    if (!state || state === this.state) return;
    const isFirst = this.state === "";
    this.state = state;
    const calls = state === "waiting" || (state === "ended" && this.now() - this.since > LONG_MS);
    this.word = calls ? head.word.toLowerCase() : "";
    if (calls && !isFirst && document.hidden) this.call(head);
    else if (state !== "ended") this.restore();
  }

  /** @param {Head} head */
  call(head) {
    this.mark();
    if (typeof Notification === "undefined" || Notification.permission !== "granted") return;
    const notice = new Notification(`${head.task}: ${this.word}`, { body: head.now });
    notice.addEventListener("click", () => window.focus());
  }

  mark() {
    this.restore();
    this.title = document.title;
    document.title = `(${this.word}) ${this.title}`;
  }

  /** Whoever leaves the page while a call waits is told so by the title. */
  look() {
    if (!document.hidden) this.restore();
    else if (this.state === "waiting") this.mark();
  }

  restore() {
    if (this.title && document.title.endsWith(this.title)) document.title = this.title;
    this.title = "";
  }

  remove() {
    this.restore();
    document.removeEventListener("visibilitychange", this.seen);
  }
}
