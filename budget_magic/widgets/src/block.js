// @ts-check
// One part under a step's row: what Claude thought, wrote or called, or what a tool returned.

import { attrs, button, disable, glyph, h, rendered, setText } from "./dom.js";
import { wholeKey } from "./feed.js";
import { Flow } from "./flow.js";

/**
 * @typedef {import("./types").Block} Block
 * @typedef {import("./types").Stream} Stream
 * @typedef {import("./view.js").View} View
 * @typedef {{text: string, note: string} | undefined} Whole
 */

const FOLDED_LINES = 12;
const FOLDED_CHARS = 2000;

export class BlockPart {
  /**
   * @param {View} view
   * @param {Block | Stream} block
   */
  constructor(view, block) {
    this.view = view;
    this.kind = block.kind;
    this.el = h("div", `bm-block bm-block--${block.kind}`);
    this.flow = new Flow();
    this.prose = h("div", "bm-prose");
    /** @type {Node[]} */
    this.drawn = [];
    this.html = 0;
    /** @type {Block | null} */
    this.block = null;
    /** @type {Whole} */
    this.whole = undefined;
    this.called = h("b");
    this.thought = block.kind === "thinking" ? new Thought() : null;
    this.content = this.thought ? this.thought.content : this.el;
    if (this.thought) this.el.append(this.thought.el);
  }

  /**
   * Show nodes, unless they are there.
   * @param {...Node} nodes
   */
  draw(...nodes) {
    if (nodes.length === this.drawn.length && nodes.every((n, i) => n === this.drawn[i])) return;
    this.drawn = nodes;
    this.content.replaceChildren(...nodes);
  }

  /**
   * Show a block that streams: what is finished rendered, the rest as text.
   * @param {Stream} stream
   */
  streaming(stream) {
    this.thought?.open(true);
    for (const html of stream.html.slice(this.html))
      this.prose.append(...rendered("", html).childNodes);
    this.html = stream.html.length;
    this.flow.paint(stream);
    setText(this.called, stream.name);
    if (stream.kind === "call") this.draw(this.called, this.flow.el);
    else if (stream.kind === "text") {
      if (this.flow.el.parentNode !== this.prose || this.flow.el.nextSibling)
        this.prose.append(this.flow.el);
      this.draw(this.prose);
    } else this.draw(this.flow.el);
  }

  /**
   * Show a part that is complete; the stream that it came from may hold its text.
   * @param {Block} block
   * @param {string} tokens how many tokens the step thought, for its only such part
   */
  finished(block, tokens) {
    const whole = this.view.feed.wholes.get(wholeKey(block));
    if (this.block === block && this.whole === whole) return;
    this.block = block;
    this.whole = whole;
    this.thought?.name(tokens);
    const stream =
      block.stream === undefined ? undefined : this.view.feed.streams.get(block.stream);
    if (block.html) this.draw(rendered("bm-prose", block.html), ...cutNote(block));
    else if (stream && (block.kind === "thinking" || block.kind === "text")) {
      this.streaming(stream);
      if (block.kind === "thinking") this.fold(stream);
      if (block.cut) this.content.append(...cutNote(block));
    } else if (block.kind === "call") this.call(block, whole);
    else if (block.kind === "result") this.result(block, whole);
    else {
      const text = h("div", "bm-flow", block.text ?? "");
      this.draw(attrs(text, { dir: "auto" }), ...cutNote(block));
    }
    this.thought?.open(false);
  }

  /** @param {Stream} stream */
  fold(stream) {
    let lines = 1;
    for (const piece of stream.parts) lines += piece.split("\n").length - 1;
    if (lines <= FOLDED_LINES && stream.length <= FOLDED_CHARS) return;
    this.flow.el.classList.add("bm-folded");
    const size =
      lines > FOLDED_LINES
        ? `all ${lines.toLocaleString("en-US")} lines`
        : `all ${stream.length.toLocaleString("en-US")} characters`;
    const more = button(
      "bm-button bm-button--plain bm-more",
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
   * @param {Whole} whole
   */
  call(block, whole) {
    const text = whole?.text ?? block.text ?? "";
    const name = block.name && text.startsWith(block.name) ? block.name : "";
    this.draw(h("pre", "", h("b", "", name), text.slice(name.length)));
    this.rest(block, whole, "show all", { call: block.id });
  }

  /**
   * @param {Block} block
   * @param {Whole} whole
   */
  result(block, whole) {
    const lines = block.lines ?? 1;
    const count = lines > 1 ? `${lines.toLocaleString("en-US")} lines` : "";
    const facts = [block.label ?? "result", count, block.size ?? ""].filter(Boolean).join(", ");
    this.el.classList.toggle("bm-block--error", Boolean(block.error));
    const pre = h("pre", whole ? "bm-whole" : "", whole ? whole.text : (block.text ?? ""));
    attrs(pre, { tabindex: "0", role: "group", "aria-label": `${facts} of ${block.name ?? ""}` });
    this.draw(h("p", "bm-words", facts), pre);
    const all = lines > 1 ? `show all ${lines.toLocaleString("en-US")} lines` : "show all";
    this.rest(block, whole, all, { id: block.id });
  }

  /**
   * Add what is missing, and the button that asks for it.
   * @param {Block} block
   * @param {Whole} whole
   * @param {string} words
   * @param {object} asked
   */
  rest(block, whole, words, asked) {
    const note = whole ? whole.note : (block.cut ?? "");
    if (note) this.content.append(h("p", "bm-cut-note", note));
    if (!block.more || whole) return;
    const more = button(
      "bm-button bm-button--plain bm-more",
      () => {
        disable(more, true);
        this.view.send({ k: "whole", ...asked });
      },
      words,
    );
    disable(more, this.view.isDead(this.view.feed.head));
    this.content.append(more);
  }
}

/**
 * Return what is missing of a part.
 * @param {Block} block
 */
const cutNote = ({ cut }) => (cut ? [h("p", "bm-cut-note", cut)] : []);

/** Thinking, folded once it is over. */
class Thought {
  constructor() {
    this.words = h("span", "", "thinking");
    this.content = h("div", "bm-thought-text");
    this.summary = h("summary", "", glyph("right", "bm-chevron"), this.words);
    this.el = h("details", "bm-thought", this.summary, this.content);
    this.el.open = true;
    this.touched = false;
    this.summary.addEventListener("click", () => {
      this.touched = true;
    });
  }

  /** @param {string} tokens */
  name(tokens) {
    setText(this.words, tokens ? `thought, ${tokens} tokens` : "thought");
  }

  /** @param {boolean} open */
  open(open) {
    if (!this.touched && this.el.open !== open) this.el.open = open;
  }
}
