// @ts-check
// One step: a row, and what is under it once it is opened.

import { BlockPart } from "./block.js";
import { attrs, glyph, h, segment, setShare, setText, show } from "./dom.js";
import { changeOf } from "./feed.js";
import { KINDS } from "./geometry.js";

/**
 * @typedef {import("./types").Block} Block
 * @typedef {import("./types").Row} Row
 * @typedef {import("./types").Step} Step
 * @typedef {import("./view.js").View} View
 */

const MARKS = { error: "error", waiting: "wait", streaming: "live", running: "live" };

export class StepItem {
  /**
   * @param {View} view
   * @param {number} number
   */
  constructor(view, number) {
    this.view = view;
    this.number = number;
    this.title = h("span");
    this.marks = h("span", "bm-marks");
    this.mini = attrs(h("span", "bm-mini bm-wide"), { "aria-hidden": "true" });
    this.solid = KINDS.map((kind) => segment(`bm-seg bm-seg--${kind}`, 0));
    this.live = KINDS.map((kind) => segment(`bm-seg bm-seg--${kind} bm-seg--live`, 0));
    this.mini.append(...this.solid, ...this.live);
    this.counted = h("span", "bm-num bm-num--main");
    this.cost = h("span", "bm-num bm-num--more");
    this.time = h("span", "bm-num bm-num--more");
    const summary = h(
      "summary",
      "",
      glyph("right", "bm-chevron"),
      h("span", "bm-step-number", String(number)),
      h("span", "bm-step-title", this.title, this.marks),
      this.mini,
      this.counted,
      this.cost,
      this.time,
    );
    this.parts = h("div", "bm-parts");
    this.why = h("p", "bm-why");
    this.cut = h("span", "bm-cut", "cut off here");
    this.body = h("div", "bm-body", this.parts, this.cut, this.why);
    this.details = h("details", "bm-step", summary);
    this.el = h("li", "", this.details);
    /** @type {BlockPart[]} */
    this.blocks = [];
    /** @type {Map<number, BlockPart>} */
    this.streams = new Map();
    this.caret = attrs(h("span", "bm-caret"), { "aria-hidden": "true" });
    this.drawn = { title: "", marks: "" };
    summary.addEventListener("click", () => {
      view.memory.pinned.set(number, !this.details.open);
      view.transcript.touched = true;
    });
    this.details.addEventListener("toggle", () => this.opened());
  }

  opened() {
    const step = this.view.feed.steps.get(this.number);
    if (!this.details.open || !step) return;
    if (!this.body.isConnected) this.details.append(this.body);
    if (step.blocks === null) this.view.send({ k: "whole", step: this.number });
    this.view.later(changeOf({ steps: [this.number] }));
  }

  /**
   * @param {Step} step
   * @param {number} largest tokens of the largest step
   * @param {Set<string>} waiting calls that wait for a person; their input stands in the card
   */
  update(step, largest, waiting) {
    const { row } = step;
    this.drawTitle(row);
    this.drawMarks(this.allMarks(step, waiting));
    KINDS.forEach((kind, place) => {
      setShare(this.solid[place], row.tokens[kind] / largest);
      setShare(this.live[place], row.live[kind] / largest);
    });
    setText(this.counted, row.counted);
    setText(this.cost, row.cost);
    setText(this.time, row.time);
    const why = [[row.cost, row.time].filter(Boolean).join(", "), row.why].filter(Boolean);
    setText(this.why, row.why ? `${why.join(". ")}.` : "");
    show(this.why, Boolean(row.why));
    attrs(this.details, { "data-live": row.state === "live" && !this.view.gone });
    if (this.details.open) this.drawBody(step, waiting);
  }

  /**
   * @param {Step} step
   * @param {Set<string>} waiting
   * @returns {Row["marks"]}
   */
  allMarks({ row, blocks }, waiting) {
    if (this.view.gone && row.state === "live") return [["cut", "broke off", ""]];
    if (this.view.gone)
      return row.marks.map((mark) => (mark[0] === "waiting" ? ["cut", "not answered", ""] : mark));
    const waits = blocks?.some(({ id }) => id && waiting.has(id));
    if (!waits || row.marks.some(([kind]) => kind === "waiting")) return row.marks;
    return [...row.marks, ["waiting", "waiting for you", ""]];
  }

  /** @param {Row} row */
  drawTitle(row) {
    const key = JSON.stringify(row.parts);
    if (this.drawn.title === key) return;
    this.drawn.title = key;
    const last = row.parts.length - 1;
    const pieces = row.parts.flatMap(([name, times, detail], place) => [
      ...(place ? [place === last ? " and " : ", "] : []),
      ...(name ? [h("code", "bm-tool", name)] : []),
      ...(times > 1 ? [` ×${times}`] : []),
      ...(detail ? [name ? h("code", "", ` ${detail}`) : detail] : []),
    ]);
    this.title.replaceChildren(...pieces);
  }

  /** @param {Row["marks"]} marks */
  drawMarks(marks) {
    const key = JSON.stringify(marks);
    if (this.drawn.marks === key) return;
    this.drawn.marks = key;
    this.marks.replaceChildren(
      ...marks.map(([kind, text, sign]) => {
        const colour = MARKS[/** @type {"error"} */ (kind)];
        const className = `bm-mark${colour ? ` bm-mark--${colour}` : ""}`;
        return h("span", className, sign ? `${sign} ${text}` : text);
      }),
    );
  }

  /**
   * @param {Step} step
   * @param {Set<string>} waiting
   */
  drawBody(step, waiting) {
    if (!this.body.isConnected) this.details.append(this.body);
    const isLive = step.row.state === "live";
    show(this.cut, isLive ? this.view.gone : step.row.state === "cut");
    if (!isLive && step.blocks?.length) this.drawBlocks(step, step.blocks, waiting);
    else this.drawStreams();
    const flow = this.parts.lastElementChild?.querySelector(".bm-flow");
    if (!isLive || !flow || this.view.gone) return this.caret.remove();
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
    const last = streams.at(-1);
    for (const stream of streams) {
      let part = this.streams.get(stream.id);
      if (!part) {
        part = new BlockPart(this.view, stream);
        this.streams.set(stream.id, part);
        this.parts.append(part.el);
      }
      part.streaming(stream);
      if (stream !== last) part.thought?.open(false);
    }
  }

  /**
   * @param {Step} step
   * @param {Block[]} blocks
   * @param {Set<string>} waiting
   */
  drawBlocks(step, blocks, waiting) {
    const thoughts = blocks.filter(({ kind }) => kind === "thinking").length;
    const tokens = thoughts === 1 ? step.row.tokens.thinking : 0;
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
      part.finished(block, tokens ? tokens.toLocaleString("en-US") : "");
      show(part.el, !(block.kind === "call" && waiting.has(block.id ?? "")));
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
