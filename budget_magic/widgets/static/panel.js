// @ts-check
// The live panel of a turn. The kernel sends small messages (see widgets/panel_sync.py); `Feed` joins
// them to the turn as it is now, and a view paints what changed once per animation frame.
// Text of models and tools goes in by textContent only; HTML comes rendered from the kernel.

/**
 * @typedef {"thinking" | "calls" | "results" | "text"} KindName
 * @typedef {Record<KindName, number>} Tokens
 * @typedef {{label: string, text: string, share: number, live: number}} Kind
 * @typedef {{budget: number | null, used: number, number: string, caption: string,
 *   used_text: string, over: boolean, limit: number | null, began: number | null,
 *   turn_line: string, kinds: Record<KindName, Kind>}} Gauge
 * @typedef {{shares: number[], steps: number, more: number | null, left: string[],
 *   text: string}} Pace
 * @typedef {"cost" | "tokens" | "steps" | "time"} CeilingName
 * @typedef {{label: string, spent: string, held: string, of: string, open: boolean,
 *   share: number, held_share: number, level: string, nearest: boolean, word: string}} Ceiling
 * @typedef {{kind: string, label: string, tokens: string, price: string, cost: string,
 *   token_share: number, cost_share: number}} BillRow
 * @typedef {{says: string, counted: string, billed: string, counted_share: number,
 *   kinds: Tokens, rows: BillRow[], total: string, source: string, scope: string}} Meters
 * @typedef {{levels: string[], effort: string, next: string, now: string, kept: string,
 *   price: string, budget: number | null, budget_from: number | null, budget_text: string,
 *   raised: string, ceilings: Record<CeilingName, Raise | null>}} Offers
 * @typedef {{by: string, from: string, to: string}} Raise
 * @typedef {[name: string, value: string, size: string]} InputField
 * @typedef {{id: string, name: string, sentence: string, fields: InputField[],
 *   place: string}} Approval
 * @typedef {{task: string, turn: number, model: string, effort: string, state: string,
 *   word: string, ended: boolean, now: string,
 *   verdict: [string, string, string, string] | null, tags: [string, string][],
 *   notes: string[], gauge: Gauge, pace: Pace, ceilings: Record<CeilingName, Ceiling>,
 *   input: {cached: string, new: string, share: number, percent: string}, meters: Meters,
 *   answer: string, steps_text: string, approvals: Approval[], offers: Offers,
 *   no_events: boolean}} Head
 * @typedef {{state: "done" | "live" | "cut", parts: [string, number, string][],
 *   marks: [string, string, string][], tokens: Tokens, live: Tokens, counted: string,
 *   cost: string, time: string, why: string}} Row
 * @typedef {{kind: "thinking" | "text" | "call" | "result", text?: string, html?: string,
 *   cut?: string, stream?: number, name?: string, id?: string, label?: string, size?: string,
 *   lines?: number, error?: boolean, more?: boolean}} Block
 * @typedef {{number: number, row: Row, blocks: Block[] | null}} Step
 * @typedef {{id: number, step: number, kind: string, name: string, parts: string[],
 *   length: number, html: string | null}} Stream
 * @typedef {{r: number, n?: [number, number, string, string][], d?: [number, number, string][],
 *   m?: [number, string][], x?: number[], w?: [string, string, string],
 *   s?: {number: number, row?: Partial<Row>, from?: number, blocks?: Block[]}[],
 *   h?: Partial<Head>}} Message
 * @typedef {{r: number, head: Head, steps: Step[], earlier: number, streams: {id: number,
 *   step: number, kind: string, name: string, from: number, text: string,
 *   html: string | null}[]}} Snapshot
 * @typedef {{head: Set<string>, steps: Set<number>, all: boolean}} Change
 * @typedef {{get(name: string): any, send(content: object): void,
 *   on(name: string, heard: (content: any) => void): void,
 *   off(name: string, heard: (content: any) => void): void}} Model
 */

const KINDS = /** @type {KindName[]} */ (["thinking", "calls", "results", "text"]);
const CEILINGS = /** @type {CeilingName[]} */ (["cost", "tokens", "steps", "time"]);
const CHUNK = 4000;
const LONGEST_CHUNK = 8000;
const ROWS = 200;
const FOLDED_LINES = 12;
const FOLDED_CHARS = 2000;
const AT_END = 24;
const ASK_AGAIN_MS = 5000;
const STOP_UNHEARD_MS = 1500;
const QUIET = { "data-lm-suppress-shortcuts": "true" };
const SPARK = { width: 200, height: 40, top: 3 };

// ── what the kernel said, joined ──

/**
 * `patch` laid over `target`: objects key by key, everything else replaced.
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

/** The turn as it is now, joined from messages that may overlap, and once in a while be lost. */
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
   * Takes a message. True where something is missing and a snapshot should be asked for.
   * @param {Message} message
   */
  take(message) {
    if (message.w) {
      const [key, text, note] = message.w;
      this.wholes.set(key, { text, note });
      const steps = [...this.steps.values()].filter((step) =>
        step.blocks?.some((block) => wholeKey(block) === key),
      );
      this.tell({ head: new Set(), steps: new Set(steps.map((s) => s.number)), all: false });
      return false;
    }
    if (message.r <= this.revision) return false;
    let missed = this.revision >= 0 && message.r > this.revision + 1;
    this.revision = message.r;
    /** @type {Change} */
    const change = { head: new Set(), steps: new Set(), all: false };
    for (const [id, step, kind, name] of message.n ?? []) {
      if (!this.streams.has(id))
        this.streams.set(id, { id, step, kind, name, parts: [], length: 0, html: null });
      change.steps.add(step);
    }
    for (const [id, offset, text] of message.d ?? []) {
      const stream = this.streams.get(id);
      if (!stream || offset > stream.length) missed = true;
      else if (append(stream, offset, text)) change.steps.add(stream.step);
    }
    for (const [id, html] of message.m ?? []) {
      const stream = this.streams.get(id);
      if (!stream) continue;
      stream.html = html;
      change.steps.add(stream.step);
    }
    for (const id of message.x ?? []) {
      const stream = this.streams.get(id);
      this.streams.delete(id);
      if (stream) change.steps.add(stream.step);
    }
    for (const patch of message.s ?? []) {
      if (!this.takeStep(patch)) missed = true;
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
   * Takes everything as of one moment. Older ones than what is known are left aside.
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
    for (const { id, step, kind, name, from, text, html } of snapshot.streams) {
      let stream = this.streams.get(id);
      if (!stream || stream.length < from) {
        const parts = from ? ["…"] : [];
        stream = { id, step, kind, name, parts, length: from, html };
        this.streams.set(id, stream);
      }
      append(stream, from, text);
      stream.html = html;
    }
    this.tell({ head: new Set(), steps: new Set(), all: true });
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
 * Adds what of `text` is new to the stream; false where nothing is.
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
 * By what the whole of a call or of a result is known; empty for other blocks.
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

// ── arithmetic without a page ──

/**
 * Where in `text` a new chunk begins, after `length` characters of the present one; -1 for nowhere.
 * Chunks end at a line's end, where a new block changes nothing to the eye.
 * @param {number} length
 * @param {string} text
 */
export function chunkBreak(length, text) {
  if (length + text.length <= CHUNK) return -1;
  const line = text.indexOf("\n", Math.max(0, CHUNK - length - 1));
  if (line >= 0 && length + line < LONGEST_CHUNK) return line + 1;
  if (length + text.length <= LONGEST_CHUNK) return -1;
  let at = Math.max(LONGEST_CHUNK - length, 0);
  const unit = text.charCodeAt(at);
  if (unit >= 0xdc00 && unit < 0xe000) at += 1; // never through the middle of a character
  return at;
}

/**
 * Whether the list goes on following its end after it was scrolled to `now`.
 * @param {boolean} following
 * @param {number} topBefore
 * @param {{top: number, height: number, content: number}} now
 */
export function follows(following, topBefore, now) {
  if (now.content - now.height - now.top <= AT_END) return true;
  return now.top < topBefore - 1 ? false : following;
}

/**
 * Paths of what was left after each step, and of where this pace leads.
 * @param {Pace} pace
 */
export function sparkPaths(pace) {
  const { width, height, top } = SPARK;
  const last = pace.shares.length - 1;
  if (last < 1) return null;
  const more = pace.more ?? 0;
  const reach = (width * pace.steps) / Math.max(pace.steps + more, 1);
  const points = pace.shares.map((share, place) => ({
    x: (reach * place) / last,
    y: top + (height - top) * (1 - share),
  }));
  const line = points.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  const { x, y } = points[last] ?? { x: 0, y: 0 };
  return {
    line: `M${line}`,
    area: `M${line}L${x.toFixed(1)} ${height}L0 ${height}Z`,
    next: more ? `M${x.toFixed(1)} ${y.toFixed(1)}L${width} ${height}` : "",
    x: x / width,
    y: y / height,
  };
}

/**
 * The gauge in one sentence.
 * @param {Gauge} gauge
 */
export function spokenGauge(gauge) {
  const used = gauge.used.toLocaleString("en-US");
  const of = gauge.budget === null ? "" : ` of ${gauge.budget.toLocaleString("en-US")}`;
  const split = KINDS.map((kind) => `${gauge.kinds[kind].label} ${gauge.kinds[kind].text}`);
  return `${used}${of} tokens counted: ${split.join(", ")}`;
}

/**
 * Lines of `before` and `after` with what they share at both ends as context.
 * @param {string} before
 * @param {string} after
 * @returns {["same" | "del" | "ins", string][]}
 */
export function lineDiff(before, after) {
  const old = before.split("\n");
  const now = after.split("\n");
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  let tail = 0;
  while (
    tail < old.length - head &&
    tail < now.length - head &&
    old[old.length - 1 - tail] === now[now.length - 1 - tail]
  )
    tail += 1;
  return [
    .../** @type {["same", string][]} */ (old.slice(0, head).map((line) => ["same", line])),
    .../** @type {["del", string][]} */ (
      old.slice(head, old.length - tail).map((line) => ["del", line])
    ),
    .../** @type {["ins", string][]} */ (
      now.slice(head, now.length - tail).map((line) => ["ins", line])
    ),
    .../** @type {["same", string][]} */ (
      old.slice(old.length - tail).map((line) => ["same", line])
    ),
  ];
}

/**
 * The largest step in tokens, which the small bars are drawn against.
 * @param {Iterable<Step>} steps
 */
export function largestStep(steps) {
  let largest = 1;
  for (const { row } of steps)
    largest = Math.max(
      largest,
      KINDS.reduce((sum, k) => sum + row.tokens[k] + row.live[k], 0),
    );
  return largest;
}

/**
 * What is said when Stop was pressed and the kernel has not heard of it.
 * @param {string} now what happens now, such as "step 3, read_file"
 */
export function stopNote(now) {
  const [, doing = ""] = /^step \d+, (\w+)$/.exec(now) ?? [];
  const isTool = doing && !["thinking", "writing", "working", "call", "retrying"].includes(doing);
  return `Stop waits${isTool ? ` for ${doing}()` : ""}; Kernel > Interrupt ends it now.`;
}

// ── small parts of a page ──

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function h(tag, className = "", ...children) {
  const el = document.createElement(tag);
  if (className) el.className = className;
  el.append(...children);
  return el;
}

/**
 * @template {Element} E
 * @param {E} el
 * @param {Record<string, string | number | boolean>} values false and "" take an attribute away
 */
function attrs(el, values) {
  for (const [name, value] of Object.entries(values)) {
    if (value === false || value === "") el.removeAttribute(name);
    else {
      const text = value === true ? "" : String(value);
      if (el.getAttribute(name) !== text) el.setAttribute(name, text);
    }
  }
  return el;
}

/**
 * @param {Element} el
 * @param {string} text
 */
function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/**
 * @param {HTMLElement} el
 * @param {boolean} shown
 */
function show(el, shown) {
  if (el.hidden === shown) el.hidden = !shown;
}

/** @type {Record<string, [string, Record<string, string | number>][]>} */
const GLYPHS = {
  running: [
    ["circle", { cx: 7, cy: 7, r: 5.2, opacity: 0.28 }],
    ["path", { d: "M7 1.8a5.2 5.2 0 0 1 5.2 5.2" }],
  ],
  retrying: [["path", { d: "M12 7a5 5 0 1 1-1.5-3.6M12 1.6v2.6H9.4" }]],
  waiting: [
    ["path", { d: "M7 1.2 12.8 7 7 12.8 1.2 7Z" }],
    ["path", { d: "M7 4.6v2.8M7 9.4v.1" }],
  ],
  wrapping_up: [
    ["circle", { cx: 7, cy: 7, r: 5.2 }],
    ["path", { d: "M7 3.6V7l2.2 1.6" }],
  ],
  completed: [
    ["circle", { cx: 7, cy: 7, r: 5.4 }],
    ["path", { d: "m4.6 7.2 1.7 1.7 3.2-3.5" }],
  ],
  halted: [
    ["rect", { x: 2, y: 2, width: 10, height: 10, rx: 1.5 }],
    ["path", { d: "M5.4 5v4M8.6 5v4" }],
  ],
  interrupted: [
    ["circle", { cx: 7, cy: 7, r: 5.4 }],
    ["path", { d: "M4.6 7h4.8" }],
  ],
  failed: [
    ["circle", { cx: 7, cy: 7, r: 5.4 }],
    ["path", { d: "m5 5 4 4M9 5 5 9" }],
  ],
  note: [
    ["circle", { cx: 7, cy: 7, r: 5.4, "stroke-dasharray": "2.2 2" }],
    ["path", { d: "M7 6.4v3M7 4.3v.1" }],
  ],
  down: [["path", { d: "m3 5 4 4 4-4" }]],
  up: [["path", { d: "m3 9 4-4 4 4" }]],
  right: [["path", { d: "m5 3 4 4-4 4" }]],
  stop: [
    [
      "rect",
      { x: 1.5, y: 1.5, width: 11, height: 11, rx: 1, fill: "currentColor", stroke: "none" },
    ],
  ],
};

/**
 * @param {string} tag
 * @param {Record<string, string | number>} values
 */
function svg(tag, values) {
  return attrs(document.createElementNS("http://www.w3.org/2000/svg", tag), values);
}

/**
 * A sign; the ring of a state that goes on turns as a whole, which costs the page no layout.
 * @param {string} name
 * @param {string} [more]
 */
function glyph(name, more = "") {
  const turns = name === "running" || !(name in GLYPHS);
  const el = svg("svg", {
    class: `bm-glyph ${turns ? "bm-spin" : more}`.trim(),
    viewBox: "0 0 14 14",
    "aria-hidden": "true",
  });
  for (const [tag, values] of GLYPHS[name] ?? GLYPHS.running ?? []) el.append(svg(tag, values));
  return el;
}

/**
 * @param {string} className
 * @param {() => void} pressed
 * @param {...(Node | string)} children
 */
function button(className, pressed, ...children) {
  const el = h("button", `bm-button ${className}`.trim(), ...children);
  el.type = "button";
  el.addEventListener("click", pressed);
  return el;
}

/**
 * Takes the focus for a moment, where what had it goes away: letters that a person types next must
 * not fall through to the notebook, where they are commands.
 * @param {HTMLElement} el
 */
function holdFocus(el) {
  const could = el.hasAttribute("tabindex");
  if (!could) el.tabIndex = -1;
  el.focus({ preventScroll: true });
  if (!could) el.addEventListener("blur", () => el.removeAttribute("tabindex"), { once: true });
}

/**
 * @param {HTMLButtonElement | HTMLInputElement} control
 * @param {boolean} disabled
 */
function disable(control, disabled) {
  if (control.disabled === disabled) return;
  const home =
    disabled && document.activeElement === control
      ? control.closest(".bm-approval, .budget-magic")
      : null;
  control.disabled = disabled;
  if (home instanceof HTMLElement) holdFocus(home);
}

/** @param {number} share */
const percent = (share) => `${(100 * Math.max(0, share)).toFixed(2)}%`;

/**
 * @param {string} className
 * @param {number} share
 */
function segment(className, share) {
  const el = h("span", className);
  el.style.flexBasis = percent(share);
  el.hidden = !(share > 0);
  return el;
}

/**
 * Puts in HTML that the kernel rendered and sanitised; the only place where HTML is put in.
 * @param {HTMLElement} el
 * @param {string} html
 */
function putRendered(el, html) {
  el.innerHTML = html;
  for (const link of el.querySelectorAll("a")) attrs(link, { target: "_blank" });
}

/**
 * A sentence with one part of it in bold.
 * @param {HTMLElement} el
 * @param {string} sentence
 * @param {string} bold
 */
function putSentence(el, sentence, bold) {
  const at = bold ? sentence.indexOf(bold) : -1;
  if (at < 0) setText(el, sentence);
  else
    el.replaceChildren(sentence.slice(0, at), h("b", "", bold), sentence.slice(at + bold.length));
}

/** Text that grows, in chunks that a browser need not lay out while they are out of sight. */
class TextFlow {
  constructor() {
    this.el = h("div", "bm-flow");
    /** @type {Text | null} */
    this.node = null;
    this.length = 0;
    this.painted = 0;
  }

  /** @param {Stream} stream */
  paint(stream) {
    if (this.painted === stream.parts.length) return;
    let text = stream.parts.slice(this.painted).join("");
    this.painted = stream.parts.length;
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

// ── sections ──

/** State, what happens now, and the two buttons that are always there. */
class Header {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.state = attrs(h("span", "bm-state"), { role: "status" });
    this.tag = h("span", "bm-tag");
    this.now = h("span", "bm-now");
    this.task = h("span", "bm-task");
    this.effort = h("span", "bm-quiet");
    this.effortText = h("span");
    this.effortButton = button("bm-effort-button", () => view.drawer.toggle(), this.effortText);
    this.effortButton.append(glyph("down"));
    this.stopText = h("span", "", "Stop");
    this.stop = button("bm-stop", () => view.stop(), glyph("stop"), this.stopText);
    const where = h("div", "bm-where", this.now, this.task);
    const controls = h("span", "bm-controls", this.effort, this.effortButton, this.stop);
    this.el = h("div", "bm-header", this.state, this.tag, where, controls);
    this.shown = "";
  }

  /** @param {Head} head */
  update(head) {
    const stopping = this.view.stopping && !head.ended;
    const state = stopping ? "stopping" : head.state;
    const word = stopping ? "Stopping" : head.word;
    if (this.shown !== `${state} ${word}`) {
      this.shown = `${state} ${word}`;
      this.state.replaceChildren(glyph(state), word);
      attrs(this.view.el, { "data-state": state });
    }
    show(this.tag, head.tags.length > 0);
    setText(this.tag, head.tags.map(([text]) => text).join(", "));
    setText(this.now, head.now);
    const about = ` turn ${head.turn}${head.model ? `, ${head.model}` : ""}`;
    if (this.task.textContent !== head.task + about)
      this.task.replaceChildren(h("b", "", head.task), about);
    const { offers } = head;
    const next = offers.next && offers.next !== offers.effort ? `, next cell ${offers.next}` : "";
    const effort = offers.effort ? `effort ${offers.effort}${next}` : head.effort;
    const canChange = !head.ended && (offers.levels.length > 0 || offers.budget !== null);
    setText(this.effort, canChange ? "" : effort);
    setText(this.effortText, effort || "budget");
    show(this.effortButton, canChange);
    disable(this.effortButton, head.no_events);
    show(this.stop, !head.ended);
    disable(this.stop, stopping || head.no_events);
    setText(this.stopText, stopping ? "Stopping" : "Stop");
  }
}

/** How it ended and how it goes on, and what else the reader should know. */
class Notes {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.sentence = h("p");
    this.lead = h("span", "bm-quiet");
    this.command = h("code", "bm-command");
    this.copyText = h("span", "", "Copy");
    this.copy = button("bm-copy", () => this.copyCommand(), this.copyText);
    this.after = h("span", "bm-quiet");
    this.go = h("div", "bm-go", this.lead, this.command, this.copy, this.after);
    this.verdict = h("div", "bm-verdict", this.sentence, this.go);
    this.notes = h("div", "bm-notes");
    this.shown = "";
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {Head} head */
  update(head) {
    show(this.verdict, head.verdict !== null);
    if (head.verdict) {
      const [sentence, lead, command, after] = head.verdict;
      setText(this.sentence, sentence);
      setText(this.lead, lead);
      setText(this.command, command);
      setText(this.after, after);
      show(this.go, Boolean(command));
    }
    const notes = [...head.tags.map(([, sentence]) => sentence), ...head.notes];
    if (head.no_events && !head.ended)
      notes.push(
        "Buttons do not work while a cell runs in this front end. Stop with Kernel › Interrupt; " +
          "approvals are asked for below the cell.",
      );
    if (this.view.stopUnheard && !head.ended && head.state !== "stopping")
      notes.push(stopNote(head.now));
    if (this.shown === notes.join("\n")) return;
    this.shown = notes.join("\n");
    this.notes.replaceChildren(
      ...notes.map((note) => h("p", "bm-note", glyph("note"), h("span", "", note))),
    );
  }

  copyCommand() {
    const text = this.command.textContent ?? "";
    const said = () => {
      setText(this.copyText, "Copied");
      clearTimeout(this.timer);
      this.timer = setTimeout(() => setText(this.copyText, "Copy"), 1500);
    };
    const select = () => {
      getSelection()?.selectAllChildren(this.command);
      setText(this.copyText, "Selected");
    };
    // Without https there is no clipboard; then the command is at least selected.
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(said, select);
    else select();
  }
}

let groups = 0;

/** What can be changed while the turn runs, each with what it costs. */
class Drawer {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    groups += 1;
    this.group = `bm-levels-${groups}`;
    this.levels = h("fieldset", "bm-levels");
    this.now = button("bm-effort-now", () => this.ask("now"), "Now");
    this.next = button("bm-effort-next", () => this.ask("next"), "Next cell");
    this.cost = attrs(h("p", "bm-effort-cost bm-quiet"), { "aria-live": "polite" });
    const when = h("span", "bm-when", this.now, this.next);
    this.effortRow = h("div", "bm-effort-row", this.levels, when, this.cost);
    this.budget = button("bm-raise-budget", () => view.raiseBudget());
    this.budgetCost = h("p", "bm-quiet");
    this.budgetRow = h("div", "bm-effort-row", this.budget, this.budgetCost);
    this.el = attrs(h("section", "bm-effort", this.effortRow, this.budgetRow), {
      "aria-label": "Effort and budget",
    });
    this.el.hidden = true;
    this.shown = "";
    this.asked = "";
  }

  toggle() {
    this.el.hidden = !this.el.hidden;
    this.update(this.view.feed.head);
  }

  /** @param {"now" | "next"} when */
  ask(when) {
    const level = this.chosen();
    this.asked = JSON.stringify(this.view.feed.head.offers);
    this.view.send({ k: "effort", level, when });
    this.update(this.view.feed.head);
  }

  chosen() {
    const checked = this.levels.querySelector("input:checked");
    return checked instanceof HTMLInputElement ? checked.value : "";
  }

  /** @param {Head} head */
  update(head) {
    if (head.ended) this.el.hidden = true;
    const button = this.view.header.effortButton;
    const open = !this.el.hidden;
    if (attrs(button, { "aria-expanded": String(open) }))
      button.lastElementChild?.replaceWith(glyph(open ? "up" : "down"));
    if (!open) return;
    const { offers } = head;
    const levels = `${offers.levels.join(" ")} ${offers.effort}`;
    if (this.shown !== levels) {
      this.shown = levels;
      this.levels.replaceChildren(
        h("legend", "bm-sr", "Effort"),
        ...offers.levels.map((level) => this.level(level, level === offers.effort)),
      );
    }
    const waits = this.asked === JSON.stringify(offers);
    const chosen = this.chosen();
    show(this.effortRow, offers.levels.length > 0);
    disable(this.now, waits || head.no_events || chosen === offers.effort);
    disable(this.next, waits || head.no_events || chosen === offers.next);
    putSentence(this.cost, [offers.now, offers.kept].filter(Boolean).join(" "), offers.price);
    show(this.budgetRow, offers.budget !== null);
    setText(this.budget, `Raise the budget to ${offers.budget_text}`);
    disable(this.budget, head.no_events || this.view.raisedBudget === offers.budget);
    putSentence(this.budgetCost, offers.raised, offers.price);
  }

  /**
   * @param {string} level
   * @param {boolean} checked
   */
  level(level, checked) {
    const input = h("input");
    Object.assign(input, { type: "radio", name: this.group, value: level, checked });
    input.addEventListener("change", () => this.update(this.view.feed.head));
    return h("label", "", input, level);
  }
}

/** What is left of the budget, what it went to, and how fast it goes. */
class GaugeSection {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.number = h("strong");
    this.caption = h("span", "bm-quiet");
    this.used = h("span", "bm-used");
    this.raise = button("bm-raise-budget bm-small", () => view.raiseBudget());
    const left = h("div", "bm-left", this.number, this.caption, this.used, this.raise);
    this.bar = attrs(h("div", "bm-bar"), { role: "meter", "aria-label": "Task budget" });
    this.solid = KINDS.map((kind) => segment(`bm-seg bm-seg--${kind}`, 0));
    this.live = KINDS.map((kind) => segment(`bm-seg bm-seg--${kind} bm-seg--live`, 0));
    this.limit = attrs(h("span", "bm-limit"), { title: "the budget" });
    this.began = attrs(h("span", "bm-began"), { title: "this turn began here" });
    this.bar.append(...this.solid, ...this.live, this.limit, this.began);
    this.labels = KINDS.map(() => document.createTextNode(""));
    this.counts = KINDS.map(() => h("b"));
    const entries = KINDS.map((kind, i) => {
      const key = attrs(h("span", `bm-key bm-seg--${kind}`), { "aria-hidden": "true" });
      return h(
        "li",
        "",
        key,
        /** @type {Text} */ (this.labels[i]),
        " ",
        /** @type {HTMLElement} */ (this.counts[i]),
      );
    });
    this.toggle = button(
      "bm-button--plain bm-toggle",
      () => view.meters.toggle(),
      glyph("down"),
      "two meters",
    );
    const legend = h("ul", "bm-legend", ...entries, h("li", "bm-toggle", this.toggle));
    this.turn = h("p", "bm-turn bm-quiet");
    this.spark = attrs(h("div", "bm-spark"), { role: "img" });
    this.pace = h("div", "bm-pace-text");
    this.paceBox = h("div", "bm-pace", this.spark, this.pace);
    this.el = attrs(
      h("section", "bm-gauge", h("div", "", left, this.bar, legend, this.turn), this.paceBox),
      { "aria-label": "Budget" },
    );
  }

  /** @param {Head} head */
  update(head) {
    const { gauge, offers } = head;
    setText(this.number, gauge.number);
    setText(this.caption, gauge.caption);
    setText(this.used, gauge.used_text);
    const low = gauge.budget !== null && gauge.used >= 0.75 * gauge.budget;
    show(this.raise, low && offers.budget !== null && !head.ended);
    setText(this.raise, `raise to ${offers.budget_text}${offers.price ? `, ${offers.price}` : ""}`);
    attrs(this.raise, { title: offers.raised });
    disable(this.raise, head.no_events || this.view.raisedBudget === offers.budget);
    const most = gauge.budget ?? Math.max(gauge.used, 1);
    attrs(this.bar, {
      "aria-valuemin": "0",
      "aria-valuemax": String(most),
      "aria-valuenow": String(Math.min(gauge.used, most)),
      "aria-valuetext": spokenGauge(gauge),
    });
    KINDS.forEach((kind, i) => {
      const { label, text, share, live } = gauge.kinds[kind];
      place(this.solid[i], share);
      place(this.live[i], live);
      const name = this.labels[i];
      if (name && name.data !== label) name.data = label;
      const count = this.counts[i];
      if (count) setText(count, text);
    });
    show(this.limit, gauge.limit !== null);
    this.limit.style.left = percent(gauge.limit ?? 0);
    show(this.began, gauge.began !== null);
    this.began.style.left = percent(gauge.began ?? 0);
    show(this.turn, Boolean(gauge.turn_line));
    setText(this.turn, gauge.turn_line);
  }

  /** @param {Pace} pace */
  drawPace(pace) {
    setText(this.pace, pace.text);
    show(this.paceBox, Boolean(pace.text));
    const paths = sparkPaths(pace);
    show(this.spark, paths !== null);
    if (!paths) return;
    attrs(this.spark, { "aria-label": `Tokens left after each step: ${pace.left.join(", ")}` });
    const { width, height } = SPARK;
    const drawing = svg("svg", {
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    drawing.append(
      svg("path", { class: "bm-spark-zero", d: `M0 ${height}H${width}` }),
      svg("path", { class: "bm-spark-area", d: paths.area }),
      svg("path", { class: "bm-spark-line", d: paths.line }),
      svg("path", { class: "bm-spark-next", d: paths.next || "M0 0" }),
    );
    const dot = h("span", "bm-spark-dot");
    dot.style.left = percent(paths.x);
    dot.style.top = percent(paths.y);
    this.spark.replaceChildren(drawing, dot);
  }
}

/**
 * @param {HTMLElement | undefined} el
 * @param {number} share
 */
function place(el, share) {
  if (!el) return;
  const basis = percent(share);
  if (el.style.flexBasis !== basis) el.style.flexBasis = basis;
  show(el, share > 0);
}

/** The hard limits, what is spent and held of each, and the tokens of the prompts. */
class CeilingsSection {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.el = attrs(h("section", "bm-ceilings"), { "aria-label": "Ceilings" });
    this.cells = CEILINGS.map((kind) => this.cell(kind));
    this.percent = h("span");
    this.cached = document.createTextNode("");
    this.fresh = document.createTextNode("");
    this.read = h("i", "bm-seg--cached");
    this.new = h("i", "bm-seg--fresh");
    this.inputBar = attrs(h("div", "bm-thin bm-thin--input", this.read, this.new), {
      role: "meter",
      "aria-label": "input read from the cache",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    });
    const value = h(
      "div",
      "bm-ceiling-value",
      this.cached,
      h("span", "bm-quiet", " cached, "),
      this.fresh,
      h("span", "bm-quiet", " new"),
    );
    const name = h("div", "bm-ceiling-name", h("span", "", "input"), this.percent);
    this.el.append(
      ...this.cells.map(({ el }) => el),
      h("div", "bm-ceiling bm-ceiling--input", name, value, this.inputBar),
    );
  }

  /** @param {CeilingName} kind */
  cell(kind) {
    const label = h("span");
    const word = h("span", "bm-ceiling-word");
    const spent = document.createTextNode("");
    const of = h("span", "bm-quiet");
    const raise = button("bm-raise bm-small", () => {
      const { offered } = cell;
      if (!offered) return;
      this.view.send({ k: "ceiling", ceiling: kind, from: offered.from, to: offered.to });
      cell.asked = of.textContent ?? "";
      disable(raise, true);
    });
    const done = h("i");
    const held = attrs(h("i", "bm-reserved"), { title: "reserved for the step under way" });
    const bar = attrs(h("div", "bm-thin", done, held), {
      role: "meter",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    });
    const el = attrs(
      h(
        "div",
        "bm-ceiling",
        h("div", "bm-ceiling-name", label, word),
        h("div", "bm-ceiling-value", h("span", "", spent, " ", of), raise),
        bar,
      ),
      { "data-ceiling": kind },
    );
    // What the button shows, which is what it asks for.
    const offered = /** @type {Raise | null} */ (null);
    const cell = { kind, el, label, word, spent, of, raise, bar, done, held, offered, asked: "" };
    return cell;
  }

  /** @param {Head} head */
  update(head) {
    for (const cell of this.cells) {
      const row = head.ceilings[cell.kind];
      show(cell.el, row !== undefined);
      if (!row) continue;
      setText(cell.label, row.label);
      setText(cell.word, row.word === "nearest" ? "nearest ceiling" : row.word);
      if (row.level === "near" && row.nearest) setText(cell.word, "near, nearest");
      cell.spent.data = row.spent;
      setText(cell.of, row.of);
      attrs(cell.el, { "data-nearest": row.nearest, "data-level": row.level });
      place(cell.done, row.share);
      place(cell.held, row.held_share);
      const held = row.held ? `, ${row.held}` : "";
      attrs(cell.bar, {
        "aria-label": `${row.label} ceiling`,
        "aria-valuenow": String(Math.round(100 * row.share)),
        "aria-valuetext": `${row.spent} ${row.of}${held}`,
      });
      cell.offered = structuredClone(head.offers.ceilings[cell.kind]);
      const by = cell.offered?.by ?? "";
      show(cell.raise, Boolean(by && row.level && !head.ended));
      setText(cell.raise, by);
      attrs(cell.raise, { "aria-label": `Raise the ${row.label} ceiling by ${by}, free` });
      if (cell.asked !== row.of) cell.asked = "";
      disable(cell.raise, head.no_events || cell.asked !== "");
    }
    const { input } = head;
    setText(this.percent, input.percent);
    this.cached.data = input.cached;
    this.fresh.data = input.new;
    place(this.read, input.share);
    place(this.new, input.cached === "0" && input.new === "0" ? 0 : 1 - input.share);
    attrs(this.inputBar, {
      "aria-valuenow": String(Math.round(100 * input.share)),
      "aria-valuetext": `${input.cached} cached, ${input.new} new`,
    });
  }
}

const BILLED = { cache_read: "cached", cache_write: "written", fresh: "fresh" };

/** Counted against the budget, and billed: two scales side by side. */
class MetersSection {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.el = attrs(h("section", "bm-meters"), { "aria-label": "Two meters" });
    this.el.hidden = true;
  }

  toggle() {
    this.el.hidden = !this.el.hidden;
    const { toggle } = this.view.gauge;
    attrs(toggle, { "aria-expanded": String(!this.el.hidden) });
    toggle.firstElementChild?.replaceWith(glyph(this.el.hidden ? "down" : "up"));
    this.update(this.view.feed.head);
  }

  /** @param {Head} head */
  update(head) {
    if (this.el.hidden) return;
    const { meters } = head;
    const counted = share(meters.kinds, KINDS);
    const spoken = share(meters.kinds, ["thinking", "calls", "text"]);
    /** @param {BillRow} row @param {"token_share" | "cost_share"} which */
    const parts = (row, which) =>
      row.kind === "output"
        ? Object.entries(spoken).map(([kind, part]) => seg(kind, part * row[which]))
        : [seg(BILLED[/** @type {"fresh"} */ (row.kind)] ?? "fresh", row[which])];
    const paired = [
      this.pair(
        "counted",
        meters.counted,
        "tokens counted against the budget",
        Object.entries(counted).map(([kind, part]) => seg(kind, part * meters.counted_share)),
      ),
      this.pair(
        "billed",
        meters.billed,
        "tokens billed",
        meters.rows.flatMap((row) => parts(row, "token_share")),
      ),
      this.pair(
        "dollars",
        meters.total,
        "billed",
        meters.rows.flatMap((row) => parts(row, "cost_share")),
      ),
    ];
    this.el.replaceChildren(
      h("p", "bm-quiet", meters.says),
      h("div", "bm-pair", ...paired.flat()),
      bill(meters),
      h(
        "p",
        "bm-prices",
        [meters.scope && `For the ${meters.scope.replace("this ", "")}.`, meters.source]
          .filter(Boolean)
          .join(" "),
      ),
    );
  }

  /**
   * @param {string} name
   * @param {string} value
   * @param {string} of
   * @param {HTMLElement[]} segments
   */
  pair(name, value, of, segments) {
    const bar = attrs(h("div", "bm-bar", ...segments), {
      role: "img",
      "aria-label": `${value} ${of}`,
    });
    return [h("span", "", name), bar, h("span", "", value)];
  }
}

/**
 * @param {string} kind
 * @param {number} part
 */
const seg = (kind, part) => segment(`bm-seg bm-seg--${kind}`, part);

/**
 * @param {Tokens} tokens
 * @param {KindName[]} kinds
 * @returns {Record<string, number>}
 */
function share(tokens, kinds) {
  const sum = kinds.reduce((all, kind) => all + tokens[kind], 0) || 1;
  return Object.fromEntries(kinds.map((kind) => [kind, tokens[kind] / sum]));
}

/** @param {Meters} meters */
function bill(meters) {
  /** @param {"row" | "col"} scope @param {...(Node | string)} inside */
  const th = (scope, ...inside) => attrs(h("th", "", ...inside), { scope });
  const names = ["billed as", "tokens", "per M", "cost"].map((name) => th("col", name));
  const rows = meters.rows.map((row) => {
    const kind = BILLED[/** @type {"fresh"} */ (row.kind)];
    const key = h("span", kind ? `bm-key bm-seg--${kind}` : "bm-key bm-key--output");
    attrs(key, { "aria-hidden": "true" });
    return h(
      "tr",
      "",
      th("row", key, row.label),
      h("td", "", row.tokens),
      h("td", "", row.price),
      h("td", "", row.cost),
    );
  });
  const total = h(
    "tr",
    "",
    th("row", "total"),
    h("td", "", meters.billed),
    h("td"),
    h("td", "", meters.total),
  );
  return h(
    "table",
    "bm-bill",
    h("thead", "", h("tr", "", ...names)),
    h("tbody", "", ...rows),
    h("tfoot", "", total),
  );
}

// ── the transcript ──

/** One part under a step's row. */
class BlockPart {
  /**
   * @param {View} view
   * @param {Block | Stream} block
   */
  constructor(view, block) {
    this.view = view;
    this.kind = block.kind;
    this.flow = new TextFlow();
    this.name = h("div", "bm-block-name");
    this.content = h("div", "bm-block-body");
    this.el = h("div", `bm-block bm-block--${block.kind}`, this.name, this.content);
    this.html = "";
    /** @type {Block | null} */
    this.block = null;
    /** @type {{text: string, note: string} | undefined} */
    this.whole = undefined;
  }

  /** @param {Stream} stream */
  streaming(stream) {
    if (stream.html) return this.rendered(stream.html);
    if (!this.flow.el.isConnected && !this.flow.el.parentNode) {
      setText(this.name, stream.kind);
      const call = stream.name ? [h("b", "", stream.name), " "] : [];
      this.content.replaceChildren(...call, this.flow.el);
      if (stream.kind === "call") this.content.classList.add("bm-code");
    }
    this.flow.paint(stream);
  }

  /** @param {string} html */
  rendered(html) {
    if (this.html === html) return;
    this.html = html;
    setText(this.name, "text");
    const md = h("div", "bm-md");
    putRendered(md, html);
    this.content.replaceChildren(md);
  }

  /**
   * The part complete; the stream that it came from may hold its text.
   * @param {Block} block
   */
  finished(block) {
    const whole = this.view.feed.wholes.get(wholeKey(block));
    if (this.block === block && this.whole === whole) return;
    this.block = block;
    this.whole = whole;
    const stream =
      block.stream === undefined ? undefined : this.view.feed.streams.get(block.stream);
    const html = block.html ?? stream?.html;
    if (html) return this.rendered(html);
    if (stream && (block.kind === "thinking" || block.kind === "text")) {
      this.streaming(stream);
      this.fold(stream);
      return;
    }
    if (block.kind === "call") return this.call(block, whole);
    if (block.kind === "result") return this.result(block, whole);
    setText(this.name, block.kind);
    this.content.replaceChildren(
      h("div", "bm-flow", block.text ?? ""),
      ...(block.cut ? [h("p", "bm-cut", block.cut)] : []),
    );
  }

  /** @param {Stream} stream */
  fold(stream) {
    if (stream.kind !== "thinking" || this.content.querySelector(".bm-more")) return;
    let lines = 1;
    for (const part of stream.parts) lines += part.split("\n").length - 1;
    if (lines <= FOLDED_LINES && stream.length <= FOLDED_CHARS) return;
    this.flow.el.classList.add("bm-folded");
    const size =
      lines > FOLDED_LINES
        ? `all ${lines.toLocaleString("en-US")} lines`
        : `all ${stream.length.toLocaleString("en-US")} characters`;
    const more = button(
      "bm-button--plain bm-more",
      () => {
        const folded = this.flow.el.classList.toggle("bm-folded");
        setText(more, folded ? `show ${size}` : "show less");
      },
      `show ${size}`,
    );
    this.content.append(more);
  }

  /**
   * @param {Block} block
   * @param {{text: string, note: string} | undefined} whole
   */
  call(block, whole) {
    setText(this.name, "call");
    const text = whole?.text ?? block.text ?? "";
    const name = block.name && text.startsWith(block.name) ? block.name : "";
    this.content.classList.remove("bm-code");
    this.content.replaceChildren(h("pre", "", h("b", "", name), text.slice(name.length)));
    this.rest(block, whole, "show all", { call: block.id });
  }

  /**
   * What is missing, and the button that asks for it.
   * @param {Block} block
   * @param {{text: string, note: string} | undefined} whole
   * @param {string} words
   * @param {object} asked
   */
  rest(block, whole, words, asked) {
    const note = whole ? whole.note : (block.cut ?? "");
    if (note) this.content.append(h("p", "bm-cut", note));
    if (!block.more || whole) return;
    const more = button(
      "bm-button--plain bm-more",
      () => {
        disable(more, true);
        this.view.send({ k: "whole", ...asked });
      },
      words,
    );
    disable(more, this.view.feed.head.no_events);
    this.content.append(more);
  }

  /**
   * @param {Block} block
   * @param {{text: string, note: string} | undefined} whole
   */
  result(block, whole) {
    const facts = [
      (block.lines ?? 1) > 1 ? `${(block.lines ?? 1).toLocaleString("en-US")} lines` : "",
      block.size ?? "",
    ];
    this.el.classList.toggle("bm-block--error", Boolean(block.error));
    this.name.replaceChildren(
      block.label ?? "result",
      ...facts.filter(Boolean).map((fact) => h("small", "", fact)),
    );
    const pre = attrs(h("pre", whole ? "bm-whole" : "", whole ? whole.text : (block.text ?? "")), {
      tabindex: "0",
      role: "group",
      "aria-label": `${block.label ?? "result"} of ${block.name ?? ""}`,
    });
    this.content.replaceChildren(pre);
    const lines = block.lines ?? 1;
    const all = lines > 1 ? `show all ${lines.toLocaleString("en-US")} lines` : "show all";
    this.rest(block, whole, all, { id: block.id });
  }
}

const MARKS = { error: "error", waiting: "wait", streaming: "live", running: "live" };

/** One step: a row, and what is under it once it is opened. */
class StepItem {
  /**
   * @param {View} view
   * @param {number} number
   */
  constructor(view, number) {
    this.view = view;
    this.number = number;
    this.title = h("span", "bm-step-words");
    this.marks = h("span", "bm-marks");
    this.mini = attrs(h("span", "bm-mini bm-wide"), { "aria-hidden": "true" });
    this.segments = KINDS.map((kind) => [seg(kind, 0), seg(`${kind} bm-seg--live`, 0)]);
    this.mini.append(
      ...this.segments.map(([solid]) => /** @type {HTMLElement} */ (solid)),
      ...this.segments.map(([, live]) => /** @type {HTMLElement} */ (live)),
    );
    this.counted = h("span", "bm-num bm-num--main");
    this.cost = h("span", "bm-num");
    this.time = h("span", "bm-num bm-wide");
    const title = h("span", "bm-step-title", this.title, this.marks);
    const summary = h(
      "summary",
      "",
      glyph("right", "bm-chevron"),
      h("span", "bm-step-number", String(number)),
      title,
      this.mini,
      this.counted,
      this.cost,
      this.time,
    );
    this.body = h("div", "bm-body");
    this.parts = h("div", "bm-parts");
    this.cards = h("div", "bm-cards");
    this.why = h("p", "bm-why");
    this.body.append(this.parts, this.cards, this.why);
    this.details = h("details", "bm-step", summary);
    this.el = h("li", "", this.details);
    /** @type {boolean | null} what the reader chose; null where nothing was */
    this.pinned = null;
    /** @type {BlockPart[]} */
    this.blocks = [];
    /** @type {Map<number, BlockPart>} */
    this.streams = new Map();
    this.caret = attrs(h("span", "bm-caret"), { "aria-hidden": "true" });
    this.drawn = { title: "", marks: "" };
    summary.addEventListener("click", () => {
      this.pinned = !this.details.open;
      this.view.transcript.touched = true;
    });
    this.details.addEventListener("toggle", () => this.opened());
  }

  opened() {
    const step = this.view.feed.steps.get(this.number);
    if (!this.details.open || !step) return;
    if (!this.body.isConnected) this.details.append(this.body);
    if (step.blocks === null) this.view.send({ k: "whole", step: this.number });
    this.view.later({ head: new Set(), steps: new Set([this.number]), all: false });
  }

  /**
   * @param {Step} step
   * @param {number} largest
   * @param {boolean} waiting
   */
  update(step, largest, waiting) {
    const { row } = step;
    this.drawTitle(row);
    /** @type {[string, string, string][]} */
    const marks =
      waiting && !row.marks.some(([kind]) => kind === "waiting")
        ? [...row.marks, ["waiting", "waiting for you", ""]]
        : row.marks;
    this.drawMarks(marks);
    this.drawMini(row, largest);
    setText(this.counted, row.counted);
    setText(this.cost, row.cost);
    setText(this.time, row.time);
    setText(this.why, row.why);
    attrs(this.details, { "data-live": row.state === "live" });
    if (this.details.open) this.drawBody(step);
  }

  /** @param {Row} row */
  drawTitle(row) {
    const key = JSON.stringify(row.parts);
    if (this.drawn.title === key) return;
    this.drawn.title = key;
    const pieces = row.parts.flatMap(([name, times, detail], place) => [
      ...(place ? [h("span", "bm-quiet", place === row.parts.length - 1 ? " and " : ", ")] : []),
      ...(name ? [h("code", "bm-tool", name)] : []),
      ...(times > 1 ? [h("span", "bm-quiet", ` ×${times}`)] : []),
      ...(detail ? [name ? h("code", "", ` ${detail}`) : h("span", "bm-quiet", detail)] : []),
    ]);
    this.title.replaceChildren(...pieces);
  }

  /** @param {[string, string, string][]} marks */
  drawMarks(marks) {
    const key = JSON.stringify(marks);
    if (this.drawn.marks === key) return;
    this.drawn.marks = key;
    this.marks.replaceChildren(
      ...marks.map(([kind, text, sign]) => {
        const colour = MARKS[/** @type {"error"} */ (kind)];
        return h(
          "span",
          `bm-mark${colour ? ` bm-mark--${colour}` : ""}`,
          sign ? `${sign} ${text}` : text,
        );
      }),
    );
  }

  /**
   * @param {Row} row
   * @param {number} largest
   */
  drawMini(row, largest) {
    KINDS.forEach((kind, i) => {
      const [solid, live] = this.segments[i] ?? [];
      place(solid, row.tokens[kind] / largest);
      place(live, row.live[kind] / largest);
    });
  }

  /** @param {Step} step */
  drawBody(step) {
    if (!this.body.isConnected) this.details.append(this.body);
    if (step.row.state !== "live" && step.blocks?.length) this.drawBlocks(step.blocks ?? []);
    else this.drawStreams();
    const flow = this.parts.lastElementChild?.querySelector(".bm-flow");
    if (step.row.state !== "live" || !flow) return this.caret.remove();
    const home = flow.querySelector(".bm-chunk:last-of-type") ?? flow;
    if (home.lastChild !== this.caret) home.append(this.caret);
  }

  drawStreams() {
    const streams = this.view.feed.streamsOf(this.number);
    const known = new Set(streams.map((stream) => stream.id));
    for (const [id, part] of this.streams) {
      if (known.has(id)) continue;
      part.el.remove();
      this.streams.delete(id);
    }
    for (const stream of streams) {
      let part = this.streams.get(stream.id);
      if (!part) {
        part = new BlockPart(this.view, stream);
        this.streams.set(stream.id, part);
        this.parts.append(part.el);
      }
      part.streaming(stream);
    }
  }

  /** @param {Block[]} blocks */
  drawBlocks(blocks) {
    blocks.forEach((block, place) => {
      let part = this.blocks[place];
      if (part && part.kind !== block.kind) {
        part.el.remove(); // a result came in between; each kind looks its own way
        part = undefined;
      }
      if (!part) {
        const streamed = block.stream === undefined ? undefined : this.streams.get(block.stream);
        part = streamed ?? new BlockPart(this.view, block);
        this.blocks[place] = part;
      }
      part.finished(block);
    });
    for (const extra of this.blocks.splice(blocks.length)) extra.el.remove();
    const kept = new Set(this.blocks);
    for (const part of this.streams.values()) if (!kept.has(part)) part.el.remove();
    this.streams.clear();
    this.blocks.forEach(({ el }, place) => {
      if (this.parts.children[place] !== el)
        this.parts.insertBefore(el, this.parts.children[place] ?? null);
    });
  }
}

/** A call that waits for a person; it acts once, then it is locked. */
class ApprovalCard {
  /**
   * @param {View} view
   * @param {Approval} asked
   */
  constructor(view, asked) {
    this.view = view;
    this.id = asked.id;
    this.place = h("span", "bm-quiet", asked.place);
    const [wants, why] = halves(asked.sentence);
    const at = wants.lastIndexOf(asked.name);
    const bold =
      at < 0
        ? h("b", "", wants)
        : h(
            "b",
            "",
            wants.slice(0, at),
            h("code", "", asked.name),
            wants.slice(at + asked.name.length),
          );
    this.title = h("div", "bm-approval-title", bold, " ", why, " ", this.place);
    const input = attrs(h("div", "bm-approval-input", ...wholeInput(asked.fields)), {
      tabindex: "0",
      role: "group",
      "aria-label": `Full input of ${asked.name}`,
    });
    this.reason = attrs(h("input"), {
      type: "text",
      "aria-label": "Reason, sent to Claude with a denial",
      placeholder: "Reason for Claude (optional)",
    });
    this.once = button("bm-button--solid bm-approve", () => this.decide("once"), "Approve");
    this.task = button(
      "bm-approve-task",
      () => this.decide("task"),
      "Approve this tool for this task",
    );
    this.deny = button("bm-deny", () => this.decide("denied"), "Deny");
    this.reason.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) this.decide("denied");
    });
    this.said = attrs(h("span", "bm-said bm-quiet"), { role: "status" });
    const actions = h(
      "div",
      "bm-approval-actions",
      this.once,
      this.task,
      this.deny,
      this.reason,
      this.said,
    );
    this.el = attrs(h("div", "bm-approval", this.title, input, actions), {
      role: "group",
      "aria-label": `Approval needed: ${asked.name}`,
    });
  }

  /**
   * @param {Approval} asked
   * @param {boolean} dead
   */
  update(asked, dead) {
    setText(this.place, asked.place);
    if (dead) this.lock("");
  }

  /** @param {"once" | "task" | "denied"} kind */
  decide(kind) {
    if (this.once.disabled) return;
    this.view.send({ k: "decide", id: this.id, kind, reason: this.reason.value });
    this.lock({ once: "Approved", task: "Approved for this task", denied: "Denied" }[kind]);
  }

  /** @param {string} said */
  lock(said) {
    for (const control of [this.once, this.task, this.deny, this.reason]) disable(control, true);
    setText(this.said, said);
  }
}

/**
 * The first sentence and the rest.
 * @param {string} text
 * @returns {[string, string]}
 */
export function halves(text) {
  const at = text.indexOf(". ");
  return at < 0 ? [text, ""] : [text.slice(0, at + 1), text.slice(at + 2)];
}

const EDITS = [
  ["old_str", "new_str"],
  ["old_string", "new_string"],
  ["old_text", "new_text"],
];

/**
 * The whole input of a call: short values in a list, long ones below, an edit as a comparison.
 * @param {InputField[]} fields
 */
function wholeInput(fields) {
  const byName = new Map(fields.map((field) => [field[0], field]));
  const edit = EDITS.find(([before = "", after = ""]) => byName.has(before) && byName.has(after));
  const left = fields.filter(([name]) => !edit?.includes(name));
  const short = left.filter(([, value, size]) => !size && !value.includes("\n"));
  const long = left.filter(([, value, size]) => size || value.includes("\n"));
  const list = h("dl");
  for (const [name, value] of short) list.append(h("dt", "", name), h("dd", "", value));
  if (!fields.length) list.append(h("dt", "", "no input"), h("dd"));
  const parts = [
    ...(list.childElementCount ? [list] : []),
    ...long.flatMap((field) => [fieldTitle(field), h("pre", "", field[1])]),
  ];
  if (!edit) return parts;
  const [before = "", after = ""] = edit.map((name) => byName.get(name)?.[1]);
  const [from = [], to = []] = edit.map((name) => named(byName.get(name) ?? [name, "", ""]));
  const lines = lineDiff(before, after);
  const signs = { same: " ", del: "-", ins: "+" };
  return [
    ...parts,
    h("p", "bm-field", ...from, " to ", ...to),
    h(
      "pre",
      "bm-diff",
      ...lines.map(([kind, line]) => h("span", kind, `${signs[kind]}   ${line}`)),
    ),
  ];
}

/** @param {InputField} field */
function fieldTitle(field) {
  return h("p", "bm-field", ...named(field));
}

/**
 * The name of a field, and its size where it is long.
 * @param {InputField} field
 */
function named([name, , size]) {
  return [name, size && h("span", "bm-quiet", ` (${size})`)];
}

/** All steps, following their end unless the reader scrolled away. */
class Transcript {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.text = h("span", "bm-steps-text");
    this.all = button("bm-button--plain bm-all", () => this.openAll(), "open all");
    const cols = h(
      "div",
      "bm-cols",
      h("span", "", this.text, this.all),
      h("span", "bm-wide", "made of"),
      h("span", "", "counted"),
      h("span", "", "cost"),
      h("span", "bm-wide", "time"),
    );
    this.list = attrs(h("ol", "bm-steps"), { tabindex: "0", "aria-label": "Steps" });
    this.earlierText = h("span");
    this.earlierButton = button(
      "bm-button--plain bm-earlier",
      () => {
        this.most += ROWS;
        view.later({ head: new Set(), steps: new Set(), all: true });
      },
      glyph("up"),
      this.earlierText,
    );
    this.earlier = h("li", "bm-earlier-row", this.earlierButton);
    this.follow = button("bm-follow", () => this.toEnd(), "latest ↓");
    this.follow.hidden = true;
    this.loose = h("div", "bm-cards bm-cards--loose");
    this.el = attrs(
      h(
        "section",
        "bm-transcript",
        cols,
        h("div", "bm-scroll", this.list, this.follow),
        this.loose,
      ),
      { "aria-label": "Transcript" },
    );
    /** @type {Map<number, StepItem>} */
    this.items = new Map();
    /** @type {Map<string, ApprovalCard>} */
    this.cards = new Map();
    this.most = ROWS;
    this.largest = 0;
    this.following = true;
    this.touched = false;
    this.top = 0;
    this.list.append(this.earlier);
    this.list.addEventListener(
      "scroll",
      () => {
        const { scrollTop: top, clientHeight: height, scrollHeight: content } = this.list;
        this.following = follows(this.following, this.top, { top, height, content });
        this.top = top;
        show(this.follow, !this.following);
      },
      { passive: true },
    );
  }

  openAll() {
    const items = [...this.items.values()];
    const open = !items.every((item) => item.details.open);
    for (const item of items) {
      item.pinned = open;
      item.details.open = open;
    }
    setText(this.all, open ? "close all" : "open all");
  }

  toEnd() {
    this.following = true;
    show(this.follow, false);
    this.list.scrollTop = 1e9;
  }

  /** @param {Change} change */
  update(change) {
    const { feed } = this.view;
    const { head } = feed;
    setText(this.text, head.steps_text);
    attrs(this.text, { title: head.steps_text });
    const numbers = [...feed.steps.keys()].sort((a, b) => a - b);
    const last = numbers.at(-1) ?? 0;
    const shown = new Set(numbers.slice(-this.most));
    this.drawEarlier(numbers.length - shown.size, feed.earlier);
    const waiting = this.waitingSteps(head.approvals, numbers);
    const largest = largestStep(feed.steps.values());
    const all =
      change.all ||
      largest !== this.largest ||
      change.head.has("approvals") ||
      change.head.has("no_events");
    this.largest = largest;
    for (const [number, item] of this.items) {
      if (shown.has(number)) continue;
      item.el.remove();
      this.items.delete(number);
    }
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
      const lively = head.ended ? step?.row.state === "cut" : number === last;
      const open = item.pinned ?? (lively || waiting.has(number));
      if (item.details.open !== open) item.details.open = open;
      if (step && (all || isNew || change.steps.has(number)))
        item.update(step, largest, waiting.has(number));
    }
    if (all || change.steps.size) this.drawCards(head, waiting);
    if (this.touched) this.measure();
    else if (this.following) this.list.scrollTop = 1e9;
  }

  /** What the reader opens stays where it is; the end is followed only where it is in sight. */
  measure() {
    this.touched = false;
    const { scrollTop: top, clientHeight: height, scrollHeight: content } = this.list;
    this.following = follows(false, top, { top, height, content });
    show(this.follow, !this.following);
  }

  /**
   * @param {number} folded
   * @param {number} unknown
   */
  drawEarlier(folded, unknown) {
    show(this.earlier, folded + unknown > 0);
    const count = folded + unknown;
    setText(this.earlierText, `${count} earlier ${count === 1 ? "step" : "steps"}`);
    disable(this.earlierButton, folded === 0);
  }

  /**
   * Which steps hold calls that wait.
   * @param {Approval[]} approvals
   * @param {number[]} numbers
   */
  waitingSteps(approvals, numbers) {
    /** @type {Map<number, Approval[]>} */
    const waiting = new Map();
    for (const asked of approvals) {
      const number = numbers.findLast((n) =>
        this.view.feed.steps.get(n)?.blocks?.some((block) => block.id === asked.id),
      );
      const key = number ?? 0;
      waiting.set(key, [...(waiting.get(key) ?? []), asked]);
    }
    return waiting;
  }

  /**
   * @param {Head} head
   * @param {Map<number, Approval[]>} waiting
   */
  drawCards(head, waiting) {
    const open = new Set(head.approvals.map((asked) => asked.id));
    let focused = false;
    for (const [id, card] of this.cards) {
      if (open.has(id)) continue;
      focused ||= card.el.contains(document.activeElement);
      card.el.remove();
      this.cards.delete(id);
    }
    for (const [number, approvals] of waiting) {
      const home = this.items.get(number)?.cards ?? this.loose;
      for (const asked of approvals) {
        let card = this.cards.get(asked.id);
        if (!card) {
          card = new ApprovalCard(this.view, asked);
          this.cards.set(asked.id, card);
          setText(this.view.urgent, asked.sentence);
        }
        card.update(asked, head.no_events || head.ended);
        if (card.el.parentElement !== home) home.append(card.el);
      }
    }
    if (focused) holdFocus([...this.cards.values()][0]?.el ?? this.list);
    if (!open.size) setText(this.view.urgent, "");
  }
}

// ── the whole ──

/** One view of a feed: everything in one element, painted once per animation frame. */
class View {
  /**
   * @param {Feed} feed
   * @param {(content: object) => void} send
   */
  constructor(feed, send) {
    this.feed = feed;
    this.send = send;
    this.stopping = false;
    this.stopUnheard = false;
    /** @type {number | null} */
    this.raisedBudget = null;
    /** @type {{from: number | null, total: number | null}} as the buttons show it */
    this.budgetOffer = { from: null, total: null };
    this.done = 0;
    this.frame = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {Change} */
    this.change = { head: new Set(), steps: new Set(), all: true };
    this.el = attrs(h("div", "budget-magic"), { role: "group", ...QUIET });
    this.header = new Header(this);
    this.notes = new Notes(this);
    this.drawer = new Drawer(this);
    this.gauge = new GaugeSection(this);
    this.ceilings = new CeilingsSection(this);
    this.meters = new MetersSection(this);
    this.answer = attrs(h("section", "bm-answer bm-md"), { "aria-label": "Answer" });
    this.transcript = new Transcript(this);
    this.polite = attrs(h("div", "bm-sr"), { "aria-live": "polite" });
    this.urgent = attrs(h("div", "bm-sr"), { "aria-live": "assertive" });
    this.el.append(
      this.header.el,
      this.notes.verdict,
      this.notes.notes,
      this.drawer.el,
      this.gauge.el,
      this.ceilings.el,
      this.meters.el,
      this.answer,
      this.transcript.el,
      this.polite,
      this.urgent,
    );
    // The notebook's commands match the focused element itself before they look above it; so what
    // has the focus says that they are not meant, else d d on a button would delete the cell.
    this.el.addEventListener("focusin", ({ target }) => {
      if (target instanceof Element) attrs(target, QUIET);
    });
    this.el.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.drawer.el.hidden) return;
      this.drawer.toggle();
      this.header.effortButton.focus();
    });
    /** @type {(change: Change) => void} */
    this.heard = (change) => this.later(change);
    feed.listeners.add(this.heard);
  }

  /** @param {Change} change */
  later(change) {
    for (const key of change.head) this.change.head.add(key);
    for (const number of change.steps) this.change.steps.add(number);
    this.change.all ||= change.all;
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    const { change, feed } = this;
    const { head } = feed;
    if (!head.state) return;
    this.change = { head: new Set(), steps: new Set(), all: false };
    /** @param {...string} keys */
    const touched = (...keys) => change.all || keys.some((key) => change.head.has(key));
    this.budgetOffer = { from: head.offers.budget_from, total: head.offers.budget };
    if (change.all || change.head.size) {
      attrs(this.el, { "aria-label": `Claude task ${head.task}, turn ${head.turn}` });
      this.header.update(head);
      this.notes.update(head);
      this.drawer.update(head);
    }
    if (touched("gauge", "offers", "ended", "no_events")) this.gauge.update(head);
    if (touched("pace")) this.gauge.drawPace(head.pace);
    if (touched("ceilings", "input", "offers", "ended", "no_events")) this.ceilings.update(head);
    if (touched("meters")) this.meters.update(head);
    if (touched("answer")) {
      show(this.answer, Boolean(head.answer));
      putRendered(this.answer, head.answer);
    }
    this.transcript.update(change);
    this.announce();
  }

  announce() {
    const done = [...this.feed.steps.values()].filter(({ row }) => row.state === "done");
    const last = done.at(-1)?.number ?? 0;
    if (last > this.done && this.done >= 0) {
      const { number, caption } = this.feed.head.gauge;
      if (this.done || done.length === 1)
        setText(this.polite, `step ${last} done, ${number} ${caption}`);
    }
    this.done = last;
  }

  stop() {
    this.stopping = true;
    this.send({ k: "stop" });
    this.timer = setTimeout(() => {
      this.stopUnheard = true;
      this.later({ head: new Set(["notes"]), steps: new Set(), all: false });
    }, STOP_UNHEARD_MS);
    this.later({ head: new Set(["state"]), steps: new Set(), all: false });
  }

  raiseBudget() {
    this.raisedBudget = this.budgetOffer.total;
    this.send({ k: "budget", ...this.budgetOffer });
    this.later({ head: new Set(["offers"]), steps: new Set(), all: false });
  }

  remove() {
    this.feed.listeners.delete(this.heard);
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    clearTimeout(this.notes.timer);
    this.el.remove();
  }
}

/** One widget: its model's messages are joined from the start, also before there is a view. */
export default function panel() {
  const feed = new Feed();
  return {
    /** @param {{model: Model}} context */
    initialize({ model }) {
      /** @param {Message} message */
      const heard = (message) => {
        if (feed.take(message)) model.send({ k: "resync" });
      };
      const again = () => feed.takeSnapshot(model.get("snapshot"));
      again();
      model.on("msg:custom", heard);
      model.on("change:snapshot", again);
      return () => {
        model.off("msg:custom", heard);
        model.off("change:snapshot", again);
      };
    },
    /** @param {{model: Model, el: HTMLElement}} context */
    render({ model, el }) {
      const view = new View(feed, (content) => model.send(content));
      el.append(view.el);
      view.paint();
      model.send({ k: "hello", r: feed.revision });
      return () => view.remove();
    },
  };
}
