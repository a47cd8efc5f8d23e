// @ts-check
// Effort and budget: what can be chosen, when it takes effect, and what that costs.

import { attrs, button, disable, h, setText, show } from "./dom.js";
import { budgetText } from "./header.js";

/**
 * @typedef {import("./types").Choice} Choice
 * @typedef {import("./types").Head} Head
 * @typedef {import("./view.js").View} View
 * @typedef {"effort" | "budget"} Name
 */

const ON_CACHE = "Cache: what was sent before. Reading it costs a small part of sending it new.";
let groups = 0;

/** The two popovers; at most one is open. They stay inside the panel, because outputs clip. */
export class Popovers {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.effort = new EffortPopover(view);
    this.budget = new BudgetPopover(view);
  }

  get els() {
    return [this.effort.el, this.budget.el];
  }

  /** @param {Name} name */
  toggle(name) {
    const other = name === "effort" ? "budget" : "effort";
    this.show(other, false);
    this.show(name, this[name].el.hidden === true);
  }

  /** Close what is open; return its name. */
  close() {
    const name = /** @type {Name[]} */ (["effort", "budget"]).find((one) => !this[one].el.hidden);
    if (name) this.show(name, false);
    return name;
  }

  /**
   * @param {Name} name
   * @param {boolean} open
   */
  show(name, open) {
    show(this[name].el, open);
    attrs(this.view.header[name], { "aria-expanded": String(open) });
    if (!open) return;
    this[name].shown = "";
    this[name].update(this.view.feed.head);
  }

  /** @param {Head} head */
  update(head) {
    if (this.view.isDead(head) || head.ended) this.close();
    for (const one of [this.effort, this.budget]) if (!one.el.hidden) one.update(head);
  }
}

/** Levels to choose from, and two ways to choose. */
class Popover {
  /**
   * @param {View} view
   * @param {string} title
   * @param {(when: "now" | "next") => void} ask
   */
  constructor(view, title, ask) {
    this.view = view;
    groups += 1;
    this.group = `bm-choice-${groups}`;
    this.intro = h("p", "bm-quiet");
    this.levels = h("fieldset", "bm-levels");
    this.says = attrs(h("p", "bm-words"), { "aria-live": "polite" });
    this.now = new ChoiceButton(() => ask("now"), "now");
    this.next = new ChoiceButton(() => ask("next"), "next");
    this.el = attrs(h("div", `bm-pop bm-pop--${title.toLowerCase()}`), {
      role: "dialog",
      "aria-label": title,
    });
    this.el.append(
      h("h3", "", title),
      this.intro,
      this.levels,
      this.says,
      h("div", "bm-choices", this.now.el, this.next.el),
      h("p", "bm-words", ON_CACHE),
    );
    this.el.hidden = true;
    this.shown = "";
    this.title = title;
  }

  /**
   * Draw the levels when the popover opens, and when another one comes into use.
   * @param {[value: string, text: string, inUse: boolean][]} levels
   */
  drawLevels(levels) {
    const used = levels.find(([, , inUse]) => inUse)?.[0] ?? "";
    if (this.shown === used) return;
    this.shown = used;
    this.levels.replaceChildren(
      h("legend", "bm-sr", this.title),
      ...levels.map(([value, text, inUse]) => {
        const input = h("input");
        Object.assign(input, { type: "radio", name: this.group, value, checked: value === used });
        input.addEventListener("change", () => this.picked(value));
        return h("label", "", input, text, ...(inUse ? [h("small", "", "in use")] : []));
      }),
    );
  }

  /** @param {string} _value */
  picked(_value) {
    this.update(this.view.feed.head);
  }

  /** @param {Head} _head */
  update(_head) {}

  chosen() {
    const checked = this.levels.querySelector("input:checked");
    return checked instanceof HTMLInputElement ? checked.value : "";
  }
}

class ChoiceButton {
  /**
   * @param {() => void} pressed
   * @param {string} when
   */
  constructor(pressed, when) {
    this.title = h("b");
    this.price = h("b");
    this.why = h("span");
    this.el = button("bm-choice", pressed, this.title, " ", this.price, this.why);
    attrs(this.el, { "data-when": when });
  }

  /**
   * @param {Choice} choice
   * @param {boolean} disabled
   */
  update(choice, disabled) {
    setText(this.title, choice.title);
    setText(this.price, choice.price);
    setText(this.why, choice.why);
    disable(this.el, disabled);
  }
}

class EffortPopover extends Popover {
  /** @param {View} view */
  constructor(view) {
    super(view, "Effort", (when) => {
      view.send({ k: "effort", level: this.chosen(), when });
      view.closePopover();
    });
  }

  /** @param {Head} head */
  update({ offers }) {
    const { levels, effort } = offers;
    setText(this.intro, `How hard Claude works on each step. ${capital(effort)} is in use.`);
    this.drawLevels(levels.map((level) => [level, level, level === effort]));
    const chosen = this.chosen();
    const by = levels.indexOf(chosen) - levels.indexOf(effort);
    const more = by > 0 ? "more" : "less";
    const calls = by > 0 ? "more" : "fewer";
    const says = `${capital(chosen)}: ${more} thinking and ${calls} tool calls a step than ${effort}.`;
    setText(this.says, by ? says : "Pick another level, then when it takes effect.");
    this.now.update(offers.effort_now, by === 0);
    this.next.update(offers.effort_next, chosen === offers.next);
  }
}

class BudgetPopover extends Popover {
  /** @param {View} view */
  constructor(view) {
    super(view, "Budget", (when) => {
      const from = view.feed.head.offers.budget;
      view.send({ k: "budget", from, to: this.value(), when });
      view.closePopover();
    });
    this.other = attrs(h("input"), { type: "text", size: 8, placeholder: "100k" });
    this.other.addEventListener("input", () => this.update(view.feed.head));
    const label = h("label", "bm-other", h("span", "bm-quiet", "other"), this.other);
    this.levels.after(label);
    setText(
      this.intro,
      "What Claude sees as its countdown and plans by. It is advice; ceilings are what stops a task.",
    );
  }

  /** @param {string} value */
  picked(value) {
    this.other.value = "";
    super.picked(value);
  }

  /** What is chosen; the text is read by the kernel as `--budget` is. */
  value() {
    return this.other.value.trim() || this.chosen();
  }

  /** @param {Head} head */
  update({ offers, gauge }) {
    const texts = [...new Set([offers.budget, ...offers.budgets, null])].map((tokens) => {
      const text = budgetText(tokens);
      return /** @type {[string, string, boolean]} */ ([text, text, tokens === offers.budget]);
    });
    this.drawLevels(texts);
    const tokens = readBudget(this.value());
    const least = offers.least_budget;
    const none = tokens === undefined || (tokens !== null && tokens < least);
    const wrong = `Write a number of tokens from ${budgetText(least)} on, such as 100k or 1.5M.`;
    setText(this.says, none ? wrong : leaves(tokens, offers.budget, gauge.used));
    this.now.update(offers.budget_now, none || tokens === offers.budget);
    this.next.update(offers.budget_next, none || tokens === offers.next_budget);
  }
}

/**
 * Return the tokens of a budget as a person types it; null for none, undefined for no budget.
 * @param {string} text such as "64k", "1.5M", "20,000"
 */
export function readBudget(text) {
  if (text === "none") return null;
  const [, digits = "", unit = ""] = /^([\d.,_]+)\s*([km]?)$/i.exec(text.trim()) ?? [];
  const factor = { "": 1, k: 1e3, m: 1e6 }[unit.toLowerCase()] ?? 1;
  const exact = Number(digits.replace(/[,_]/g, "")) * factor;
  const tokens = Math.round(exact);
  return digits && tokens > 0 && Math.abs(exact - tokens) < 1e-3 ? tokens : undefined;
}

/**
 * Return what a budget leaves, beside what the present one leaves.
 * @param {number | null} tokens
 * @param {number | null} budget
 * @param {number} used
 */
function leaves(tokens, budget, used) {
  if (tokens === budget) return "Pick another budget, then when it takes effect.";
  if (tokens === null) return "Claude sees no countdown then; the ceilings stay.";
  const now = budget === null ? "" : `, instead of ${left(budget, used)}`;
  return `${budgetText(tokens)} means about ${left(tokens, used)}${now}.`;
}

/**
 * @param {number} budget
 * @param {number} used
 */
function left(budget, used) {
  const rest = Math.abs(budget - used).toLocaleString("en-US");
  return budget >= used ? `${rest} tokens left` : `${rest} tokens over`;
}

/** @param {string} text */
const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
