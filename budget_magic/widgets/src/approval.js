// @ts-check
// The call that waits for a person, directly below the row; decided once, then it is locked.

import { lineDiff } from "./diff.js";
import { attrs, button, disable, h, holdFocus, setText, show } from "./dom.js";
import { halves } from "./notes.js";

/**
 * @typedef {import("./types").Approval} Approval
 * @typedef {import("./types").Head} Head
 * @typedef {import("./types").InputField} InputField
 * @typedef {import("./view.js").View} View
 */

const LOOK_MS = 700;

/** Where the first of the waiting calls is shown. */
export class Approvals {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.el = h("div", "bm-approvals");
    /** @type {ApprovalCard | null} */
    this.card = null;
    this.hadFocus = false;
    /** Whether there was a call before. */
    this.decided = false;
  }

  /** @param {Head} head */
  update(head) {
    const { view } = this;
    const [asked] = head.ended || view.gone ? [] : head.approvals;
    show(this.el, asked !== undefined);
    if (this.card?.id !== asked?.id) {
      // Between two calls there may be no card; the next one gets the focus that the last one had.
      this.hadFocus =
        this.el.contains(document.activeElement) ||
        (this.hadFocus && document.activeElement === view.transcript.el);
      const follows = this.decided;
      this.decided = true;
      this.card = asked ? new ApprovalCard(view, asked) : null;
      if (follows && this.card) this.card.keysFrom = Date.now() + LOOK_MS;
      this.el.replaceChildren(...(this.card ? [this.card.el] : []));
      setText(view.urgent, asked?.sentence ?? "");
      if (this.hadFocus) holdFocus(this.card?.el ?? view.transcript.el);
    }
    if (asked) this.card?.update(asked, view.isDead(head));
  }
}

class ApprovalCard {
  /**
   * @param {View} view
   * @param {Approval} asked
   */
  constructor(view, asked) {
    this.view = view;
    this.id = asked.id;
    /** When keys begin to decide: a second press must not answer a call that nobody has read. */
    this.keysFrom = 0;
    this.queue = h("span", "bm-queue");
    const input = attrs(h("div", "bm-approval-input", ...wholeInput(asked.fields)), {
      tabindex: "0",
      role: "region",
      "aria-label": `Arguments of ${asked.name}`,
    });
    this.reason = attrs(h("input"), {
      type: "text",
      "aria-label": "Reason for denying, sent to Claude",
      placeholder: "Reason, sent to Claude if you deny",
    });
    this.once = this.action("bm-button--solid bm-approve", "once", "Approve", "y");
    this.task = this.action("bm-approve-task", "task", "For the rest of this task");
    this.deny = this.action("bm-deny", "denied", "Deny", "n");
    attrs(this.task, { title: `Approve ${asked.name} for the rest of this task` });
    const actions = h("div", "bm-approval-actions", this.once, this.task, this.deny, this.reason);
    const words = hiddenCharacters(asked.fields);
    this.el = attrs(
      h(
        "div",
        "bm-approval",
        h("div", "bm-approval-title", title(asked), this.queue),
        input,
        ...(words ? [h("p", "bm-words", words)] : []),
        actions,
      ),
      { role: "group", tabindex: "0", "aria-label": `Approval needed: ${asked.name}` },
    );
    this.el.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * @param {string} className
   * @param {"once" | "task" | "denied"} kind
   * @param {string} words
   * @param {string} [key]
   */
  action(className, kind, words, key) {
    const keys = key ? [" ", h("kbd", "", key)] : [];
    const el = button(`bm-button ${className}`, () => this.decide(kind), words, ...keys);
    const act = { once: "approve", task: "approve-task", denied: "deny" }[kind];
    return attrs(el, { "data-act": act });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { key, target } = event;
    if (target === this.reason) {
      if (key === "Enter" && !event.isComposing) this.decide("denied");
      return;
    }
    if (Date.now() < this.keysFrom) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (key === "y") this.decide("once");
    if (key === "n") this.decide("denied");
  }

  /**
   * @param {Approval} asked
   * @param {boolean} dead
   */
  update(asked, dead) {
    if (!this.once.disabled) setText(this.queue, asked.place);
    if (dead) this.lock("");
  }

  /** @param {"once" | "task" | "denied"} kind */
  decide(kind) {
    if (this.once.disabled) return;
    this.view.send({ k: "decide", id: this.id, kind, reason: this.reason.value });
    this.lock(
      { once: "approved", task: "approved for the rest of this task", denied: "denied" }[kind],
    );
  }

  /** @param {string} said */
  lock(said) {
    if (said) setText(this.queue, said);
    for (const control of [this.once, this.task, this.deny, this.reason]) disable(control, true);
  }
}

/** @param {Approval} asked */
function title({ sentence, name }) {
  const [wants, why] = halves(sentence);
  const at = wants.lastIndexOf(name);
  const end = at + name.length;
  const bold = at < 0 ? [wants] : [wants.slice(0, at), h("code", "", name), wants.slice(end)];
  return h("span", "", h("b", "", ...bold), " ", h("span", "bm-quiet", why));
}

const EDITS = [
  ["old_str", "new_str"],
  ["old_string", "new_string"],
  ["old_text", "new_text"],
];

/**
 * Return the whole input of a call: short values in a list, long ones below, an edit as lines.
 * @param {InputField[]} fields
 */
function wholeInput(fields) {
  const byName = new Map(fields.map((field) => [field[0], field]));
  const edit = EDITS.find(([before = "", after = ""]) => byName.has(before) && byName.has(after));
  const left = fields.filter(([name]) => !edit?.includes(name));
  const short = left.filter(([, value, size]) => !size && !value.includes("\n"));
  const long = left.filter(([, value, size]) => size || value.includes("\n"));
  const list = h("dl");
  for (const [name, value] of short)
    list.append(h("dt", "", ...marked(name)), h("dd", "", ...marked(value)));
  if (!fields.length) list.append(h("dt", "", "no input"), h("dd"));
  const parts = [
    ...(list.childElementCount ? [list] : []),
    ...long.flatMap((field) => [
      h("p", "bm-field", ...named(field)),
      h("pre", "", ...marked(field[1])),
    ]),
  ];
  if (!edit) return parts;
  const [before = "", after = ""] = edit.map((name) => byName.get(name)?.[1]);
  const [from = [], to = []] = edit.map((name) => named(byName.get(name) ?? [name, "", ""]));
  const lines = lineDiff(before, after);
  const signs = { same: " ", del: "−", ins: "+" };
  return [
    ...parts,
    h("p", "bm-field", ...from, " to ", ...to),
    h(
      "pre",
      "bm-diff",
      ...lines.map(([kind, line]) => h("span", kind, h("i", "", signs[kind]), ...marked(line))),
    ),
  ];
}

/**
 * Return the name of a field, and its size where it is long.
 * @param {InputField} field
 */
function named([name, , size]) {
  return [...marked(name), size && h("span", "bm-quiet", ` (${size})`)];
}

// The kernel writes invisible characters as codes and doubles the backslashes of what only looks
// like one, so a code follows an odd number of backslashes.
const CODES = /(\\+)(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})/gi;

/**
 * Return a text in which codes stand out.
 * @param {string} text
 * @returns {(string | Node)[]}
 */
function marked(text) {
  const parts = [];
  let done = 0;
  for (const { index, 0: all, 1: slashes = "", 2: code } of text.matchAll(CODES)) {
    if (slashes.length % 2 === 0) continue;
    const start = index + slashes.length - 1;
    parts.push(text.slice(done, start), h("span", "bm-escape", `\\${code}`));
    done = index + all.length;
  }
  return [...parts, text.slice(done)];
}

/**
 * Return how many characters are shown as codes, and which; empty without any.
 * @param {InputField[]} fields
 */
function hiddenCharacters(fields) {
  const codes = fields.flatMap((field) =>
    marked(`${field[0]}\n${field[1]}`).flatMap((part) =>
      typeof part === "string" ? [] : [part.textContent ?? ""],
    ),
  );
  if (!codes.length) return "";
  const which = [...new Set(codes)];
  const some = which.length > 8 ? `${which.slice(0, 8).join(", ")} and others` : which.join(", ");
  const many = codes.length === 1 ? "1 invisible character is shown as a code" : "";
  return `${many || `${codes.length} invisible characters are shown as codes`}: ${some}.`;
}
