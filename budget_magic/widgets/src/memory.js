// @ts-check
// What a reader set for a task: details and height outlive the page, opened steps the view.

const PREFIX = "budget-magic";

export class Memory {
  constructor() {
    this.task = "";
    /** @type {Map<number, boolean>} by number of the step, what the reader chose */
    this.pinned = new Map();
  }

  get details() {
    return read(this.key("details")) === "open";
  }

  set details(open) {
    write(this.key("details"), open ? "open" : "");
  }

  /** Height of the box in pixels; 0 if none was chosen. */
  get height() {
    return Number(read(this.key("height"))) || 0;
  }

  set height(pixels) {
    write(this.key("height"), String(pixels));
  }

  /** @param {string} what */
  key(what) {
    return `${PREFIX} ${location.pathname} ${this.task} ${what}`;
  }
}

// A page may forbid storage; then nothing outlives it.

/** @param {string} key */
function read(key) {
  try {
    return sessionStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
function write(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // see above
  }
}
