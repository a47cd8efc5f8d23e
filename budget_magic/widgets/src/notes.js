// @ts-check
// Sentences: how the turn ended and goes on, what to know meanwhile, ceilings that are near.

import { attrs, button, coded, copyButton, disable, h, setText, show } from "./dom.js";

/**
 * @typedef {import("./types").CeilingName} CeilingName
 * @typedef {import("./types").Head} Head
 * @typedef {import("./view.js").View} View
 */

const DEAD_BUTTONS =
  "Buttons do not work during this cell: the turn was started from code, or the front end delivers " +
  "no events. Stop with Kernel › Interrupt; approvals are asked for below the cell.";

/** How it ended, and the command that goes on. */
export class Verdict {
  constructor() {
    this.sentence = h("p");
    this.lead = h("span", "bm-quiet");
    this.command = h("code", "bm-command");
    this.after = h("span", "bm-quiet");
    const copy = copyButton(this.command);
    this.go = h("div", "bm-go", this.lead, this.command, copy, this.after);
    this.el = h("div", "bm-verdict", this.sentence, this.go);
  }

  /** @param {Head} head */
  update({ verdict }) {
    show(this.el, verdict !== null);
    if (!verdict) return;
    const [sentence, lead, command, after] = verdict;
    const [first, rest] = halves(sentence);
    this.sentence.replaceChildren(h("b", "", ...coded(first)), ...coded(rest && ` ${rest}`));
    setText(this.lead, lead);
    setText(this.command, command);
    setText(this.after, after);
    show(this.go, Boolean(command));
  }
}

/** Notices; while the turn runs they take their height from the transcript. */
export class Notes {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.near = new NearCeilings(view);
    this.gone = attrs(h("div", "bm-note bm-note--gone"), { role: "status" });
    this.texts = h("div");
    this.el = h("div", "bm-notes", this.gone, this.near.el, this.texts);
    this.shown = "";
  }

  /** @param {Head} head */
  update(head) {
    const { view } = this;
    this.near.update(head);
    show(this.gone, view.gone);
    if (view.gone && !this.gone.childElementCount) this.gone.append(...goneWords(head));
    const notes = [...head.notes];
    if (head.no_events && !head.ended && !view.gone) notes.push(DEAD_BUTTONS);
    if (view.stopUnheard && !head.ended && head.state !== "stopping")
      notes.push(stopNote(head.now));
    if (this.shown === notes.join("\n")) return;
    this.shown = notes.join("\n");
    const shown = notes.map((note) => h("div", "bm-note", h("p", "", ...coded(note))));
    this.texts.replaceChildren(...shown);
  }
}

/**
 * Return what to know where the kernel that ran the turn has ended.
 * @param {Head} head
 */
function goneWords({ step, task, ceilings }) {
  const held = ceilings.cost?.held;
  const billed = held ? ` Step ${step} was under way and may be billed with up to ${held}.` : "";
  return [
    h(
      "p",
      "",
      h("b", "", "The kernel that ran this turn is gone."),
      ` Nothing runs any more, and ${task} has to begin anew: run the cell again.${billed}`,
    ),
  ];
}

/** One sentence for each ceiling that is nearly used up, with a button that raises it. */
class NearCeilings {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.el = h("div");
    this.shown = "";
  }

  /** @param {Head} head */
  update(head) {
    const near = head.ended ? [] : Object.entries(head.ceilings).filter(([, row]) => row?.near);
    const shown = JSON.stringify([near, head.offers.ceilings, this.view.isDead(head)]);
    if (this.shown === shown) return;
    this.shown = shown;
    this.el.replaceChildren(
      ...near.map(([kind, row]) => {
        const [bold, rest] = row?.near ?? ["", ""];
        const note = h("div", "bm-note bm-note--near", h("p", "", h("b", "", bold), ` ${rest}`));
        const raise = this.raise(/** @type {CeilingName} */ (kind), head);
        if (raise) note.append(raise);
        return attrs(note, { role: "status", "data-ceiling": kind });
      }),
    );
  }

  /**
   * @param {CeilingName} kind
   * @param {Head} head
   */
  raise(kind, head) {
    const offered = head.offers.ceilings[kind];
    if (!offered) return null;
    const { by, from, to, text } = offered;
    const press = () => {
      this.view.send({ k: "ceiling", ceiling: kind, from, to });
      disable(el, true);
    };
    const el = button("bm-button bm-raise", press, `${by}, ceiling ${text}`);
    disable(el, this.view.isDead(head));
    return attrs(el, { "data-act": "raise", "data-from": from, "data-to": to });
  }
}

/**
 * Return what is said when Stop was pressed and the kernel has not heard of it.
 * @param {string} now what happens now, such as "step 3, read_file"
 */
export function stopNote(now) {
  const [, doing = ""] = /^step \d+, (\w+)$/.exec(now) ?? [];
  const isTool = doing && !["thinking", "writing", "working", "call", "retrying"].includes(doing);
  return `Stop waits${isTool ? ` for ${doing}()` : ""}; Kernel > Interrupt ends it now.`;
}

/**
 * Return the first sentence and the rest.
 * @param {string} text
 * @returns {[string, string]}
 */
export function halves(text) {
  const at = text.indexOf(". ");
  return at < 0 ? [text, ""] : [text.slice(0, at + 1), text.slice(at + 2)];
}
