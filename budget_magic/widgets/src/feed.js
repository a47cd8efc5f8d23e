// @ts-check
// The turn as it is now, joined from messages that may overlap and, once in a while, be lost.

/**
 * @typedef {import("./types").Block} Block
 * @typedef {import("./types").Change} Change
 * @typedef {import("./types").Head} Head
 * @typedef {import("./types").Message} Message
 * @typedef {import("./types").Row} Row
 * @typedef {import("./types").Snapshot} Snapshot
 * @typedef {import("./types").Step} Step
 * @typedef {import("./types").Stream} Stream
 */

const ASK_AGAIN_MS = 5000;

/**
 * Lay `patch` over `target`: objects key by key, everything else replaced.
 * @param {any} target
 * @param {any} patch
 */
export function merge(target, patch) {
  for (const [key, value] of Object.entries(patch)) {
    if (isPlain(value) && isPlain(target[key])) merge(target[key], value);
    else target[key] = value;
  }
}

/** @param {unknown} value */
function isPlain(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Describe a change: keys of the head, numbers of steps; `all` steps if there are too many to name.
 * @param {{head?: string[], steps?: number[], all?: boolean}} of
 * @returns {Change}
 */
export function changeOf({ head = [], steps = [], all = false } = {}) {
  return { head: new Set(head), steps: new Set(steps), all };
}

export class Feed {
  /** @param {() => number} now clock in milliseconds */
  constructor(now = () => Date.now()) {
    this.now = now;
    this.revision = -1;
    /** @type {Head} */
    this.head = /** @type {any} */ ({});
    /** @type {Map<number, Step>} */
    this.steps = new Map();
    this.earlier = 0;
    /** @type {Map<number, Stream>} */
    this.streams = new Map();
    /** @type {Map<string, {text: string, note: string}>} */
    this.wholes = new Map();
    /** @type {Set<(change: Change) => void>} */
    this.listeners = new Set();
    this.askedAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * Take a message; return whether something is missing, so that a snapshot should be asked for.
   * @param {Message} message
   */
  take(message) {
    if (message.w) {
      const [key, text, note] = message.w;
      this.wholes.set(key, { text, note });
      const steps = [...this.steps.values()].filter((step) =>
        step.blocks?.some((block) => wholeKey(block) === key),
      );
      this.tell(changeOf({ steps: steps.map((step) => step.number) }));
      return false;
    }
    if (message.r <= this.revision) return false;
    let missed = this.revision >= 0 && message.r > this.revision + 1;
    this.revision = message.r;
    /** @type {Change} */
    const change = changeOf();
    missed = this.takeText(message, change) || missed;
    for (const patch of message.s ?? []) {
      missed = !this.takeStep(patch) || missed;
      change.steps.add(patch.number);
    }
    if (message.h) {
      merge(this.head, message.h);
      for (const key of Object.keys(message.h)) change.head.add(key);
    }
    this.tell(change);
    if (!missed || this.now() - this.askedAt < ASK_AGAIN_MS) return false;
    this.askedAt = this.now();
    return true;
  }

  /**
   * Take what streamed; return whether something is missing.
   * @param {Message} message
   * @param {Change} change
   */
  takeText(message, change) {
    let missed = false;
    for (const [id, step, kind, name] of message.n ?? []) {
      const none = { html: [], rendered: 0, parts: [], start: 0, length: 0 };
      if (!this.streams.has(id)) this.streams.set(id, { id, step, kind, name, ...none });
      change.steps.add(step);
    }
    for (const [id, offset, text] of message.d ?? []) {
      const stream = this.streams.get(id);
      if (!stream || offset > stream.length) missed = true;
      else if (append(stream, offset, text)) change.steps.add(stream.step);
    }
    for (const [id, from, to, html] of message.m ?? []) {
      const stream = this.streams.get(id);
      if (!stream || from > stream.rendered || to > stream.length) missed = true;
      else if (from === stream.rendered) {
        finish(stream, to, [...stream.html, html]);
        change.steps.add(stream.step);
      }
    }
    for (const id of message.x ?? []) {
      const stream = this.streams.get(id);
      this.streams.delete(id);
      if (stream) change.steps.add(stream.step);
    }
    return missed;
  }

  /** @param {NonNullable<Message["s"]>[number]} patch */
  takeStep(patch) {
    const known = this.steps.get(patch.number);
    const step = known ?? { number: patch.number, row: emptyRow(), blocks: [] };
    if (patch.row) merge(step.row, patch.row);
    this.steps.set(patch.number, step);
    if (!patch.blocks) return true;
    const from = patch.from ?? 0;
    const before = step.blocks ?? [];
    step.blocks = [...before.slice(0, from), ...patch.blocks];
    return from <= before.length;
  }

  /**
   * Take everything as of one moment, unless more is known.
   * @param {Snapshot} snapshot
   */
  takeSnapshot(snapshot) {
    if (!(snapshot?.r >= this.revision)) return;
    this.revision = snapshot.r;
    this.askedAt = Number.NEGATIVE_INFINITY;
    this.head = structuredClone(snapshot.head);
    this.earlier = snapshot.earlier;
    const known = this.steps;
    this.steps = new Map();
    for (const { number, row, blocks } of snapshot.steps) {
      const kept = blocks ?? known.get(number)?.blocks ?? null;
      this.steps.set(number, { number, row: structuredClone(row), blocks: kept });
    }
    const running = new Set(snapshot.streams.map((stream) => stream.id));
    const named = new Set(
      [...this.steps.values()].flatMap((step) => (step.blocks ?? []).map((block) => block.stream)),
    );
    for (const id of this.streams.keys())
      if (!running.has(id) && !named.has(id)) this.streams.delete(id);
    for (const { id, step, kind, name, html, rendered, from, text } of snapshot.streams) {
      let stream = this.streams.get(id);
      if (!stream || stream.length < from) {
        stream = { id, step, kind, name, html, rendered, parts: [], start: from, length: from };
        this.streams.set(id, stream);
      }
      append(stream, from, text);
      if (rendered > stream.rendered) finish(stream, rendered, html);
    }
    this.tell(changeOf({ all: true }));
  }

  /** @param {number} number */
  streamsOf(number) {
    return [...this.streams.values()].filter((stream) => stream.step === number);
  }

  /** @param {Change} change */
  tell(change) {
    for (const heard of this.listeners) heard(change);
  }
}

/**
 * Add what of `text` is new to the stream; return whether anything is.
 * @param {Stream} stream
 * @param {number} offset where `text` begins
 * @param {string} text
 */
function append(stream, offset, text) {
  const fresh = text.slice(stream.length - offset);
  if (!fresh) return false;
  stream.parts.push(fresh);
  stream.length += fresh.length;
  return true;
}

/**
 * Put the HTML of finished Markdown in place of its text.
 * @param {Stream} stream
 * @param {number} to where the rest of the text begins
 * @param {string[]} html
 */
function finish(stream, to, html) {
  const rest = stream.parts.join("").slice(Math.max(0, to - stream.start));
  const parts = rest ? [rest] : [];
  Object.assign(stream, { html, rendered: to, parts, start: Math.max(to, stream.start) });
}

/**
 * Return the key of the whole text of a call or a result; empty for other blocks.
 * @param {Block} block
 */
export function wholeKey({ kind, id }) {
  if (!id) return "";
  return { call: `call ${id}`, result: id, text: "", thinking: "" }[kind];
}

/** @returns {Row} */
function emptyRow() {
  const none = { thinking: 0, calls: 0, results: 0, text: 0 };
  return {
    state: "live",
    parts: [],
    marks: [],
    tokens: none,
    live: { ...none },
    counted: "",
    cost: "",
    time: "",
    why: "",
  };
}
