// @ts-check
// The one row above the transcript: state, what is left, cost, the nearest ceiling, the buttons.

import { attrs, button, disable, glyph, h, segment, setShare, setText, show } from "./dom.js";
import { KINDS } from "./geometry.js";

/**
 * @typedef {import("./types").Ceiling} Ceiling
 * @typedef {import("./types").CeilingName} CeilingName
 * @typedef {import("./types").Gauge} Gauge
 * @typedef {import("./types").Head} Head
 * @typedef {import("./view.js").View} View
 */

const UNITS = { cost: "", tokens: " tokens", steps: " steps", time: "" };

export class Header {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.state = attrs(h("div", "bm-state"), { role: "status" });
    this.now = h("div", "bm-now");
    this.gauge = new GaugeBar();
    this.cost = new CeilingFigure();
    this.nearest = new CeilingFigure();
    const figures = h("div", "bm-figures", this.gauge.el, this.cost.el, this.nearest.el);
    this.detailsText = h("span", "", "Details");
    this.details = opener("bm-button--plain bm-details-button", "details", this.detailsText);
    this.effortText = h("span");
    this.effort = opener("bm-effort-button", "effort", this.effortText);
    this.budgetText = h("span");
    this.budget = opener("bm-budget-button", "budget", this.budgetText);
    this.options = h("div", "bm-options", this.details, this.effort, this.budget);
    this.stopText = h("span", "", "Stop");
    this.stop = button("bm-button bm-stop", () => view.stop(), glyph("stop"), this.stopText);
    attrs(this.stop, { "data-act": "stop" });
    this.details.addEventListener("click", () => view.details.toggle());
    this.effort.addEventListener("click", () => view.popovers.toggle("effort"));
    this.budget.addEventListener("click", () => view.popovers.toggle("budget"));
    const where = h("div", "bm-where", this.state, this.now);
    const controls = h("div", "bm-controls", this.options, this.stop);
    this.el = h("div", "bm-header", where, figures, controls);
    this.shown = "";
  }

  /** @param {Head} head */
  update(head) {
    const { view } = this;
    const { state, word } = view.state(head);
    const tag = head.simulated ? "simulated" : "";
    if (this.shown !== `${state} ${word} ${tag}`) {
      this.shown = `${state} ${word} ${tag}`;
      const words = h("span", "", word);
      if (tag) words.append(" ", attrs(h("span", "bm-tag", tag), { title: head.simulated }));
      this.state.replaceChildren(glyph(state), words);
      attrs(view.el, { "data-state": state });
    }
    const now = view.gone ? `last seen: ${head.now}` : head.now;
    setText(this.now, now);
    attrs(this.now, { title: now });
    this.gauge.update(head.gauge, head.ended);
    this.drawCeilings(head);
    this.drawControls(head);
  }

  /** @param {Head} head */
  drawCeilings({ ceilings }) {
    this.cost.update(
      "cost",
      ceilings.cost,
      "Cost of this task so far, and the ceiling that ends it",
    );
    const [kind, nearest] =
      Object.entries(ceilings).find(([name, row]) => row?.nearest && name !== "cost") ?? [];
    this.nearest.update(/** @type {CeilingName} */ (kind ?? "steps"), nearest, "Nearest ceiling");
  }

  /** @param {Head} head */
  drawControls(head) {
    const { view } = this;
    const { offers } = head;
    const dead = view.isDead(head);
    const stopping = view.stopping && !head.ended;
    nameSetting(this.effort, this.effortText, "Effort", offers.effort, offers.next);
    const [budget, next] = [offers.budget, offers.next_budget].map(budgetText);
    nameSetting(this.budget, this.budgetText, "Budget", budget ?? "", next ?? "");
    show(this.effort, !head.ended && offers.levels.length > 0);
    show(this.budget, !head.ended && offers.budgets.length > 0);
    show(this.stop, !head.ended);
    disable(this.effort, dead);
    disable(this.budget, dead);
    disable(this.stop, dead || stopping);
    setText(this.stopText, stopping ? "Stopping" : "Stop");
  }
}

/**
 * Say on a button what is in force, and what will be from the next cell on.
 * @param {HTMLElement} button
 * @param {HTMLElement} words
 * @param {string} name
 * @param {string} now
 * @param {string} next
 */
function nameSetting(button, words, name, now, next) {
  const changes = next && next !== now;
  words.replaceChildren(`${name} `, h("b", "", now), changes ? ` → ${next}` : "");
  attrs(button, { "aria-label": changes ? `${name} ${now}, next cell ${next}` : "" });
  attrs(button, { title: changes ? `${next} from the next cell on` : "" });
}

/**
 * Return a number of tokens as the buttons show it: "64k", "1.5M", "none".
 * @param {number | null} tokens
 */
export function budgetText(tokens) {
  if (tokens === null) return "none";
  if (tokens >= 1_000_000 && tokens % 10_000 === 0) return `${tokens / 1_000_000}M`;
  return tokens >= 1000 && tokens % 100 === 0
    ? `${tokens / 1000}k`
    : tokens.toLocaleString("en-US");
}

/**
 * Return a button that opens something in the panel.
 * @param {string} className
 * @param {string} act
 * @param {HTMLElement} words
 */
function opener(className, act, words) {
  const el = h("button", `bm-button ${className}`, words, glyph("down"));
  el.type = "button";
  return attrs(el, {
    "data-act": act,
    "aria-expanded": "false",
    "aria-haspopup": act === "details" ? "" : "dialog",
  });
}

/** What is left of the budget, over the bar of what it went to. */
class GaugeBar {
  constructor() {
    this.about = h("span", "bm-about", "≈ ");
    this.number = h("strong");
    this.caption = document.createTextNode("");
    this.of = h("span", "bm-long");
    const left = h("div", "bm-left", this.about, this.number, this.caption, this.of);
    this.bar = attrs(h("div", "bm-bar"), { role: "meter", "aria-label": "Task budget" });
    this.solid = KINDS.map((kind) => segment(`bm-seg bm-seg--${kind}`, 0));
    this.live = KINDS.map((kind) => segment(`bm-seg bm-seg--${kind} bm-seg--live`, 0));
    this.bar.append(...this.solid, ...this.live);
    this.el = h("div", "bm-gauge", left, this.bar);
  }

  /**
   * @param {Gauge} gauge
   * @param {boolean} ended
   */
  update(gauge, ended) {
    show(this.about, gauge.estimated);
    setText(this.number, gauge.number);
    const [what = "", of] = gauge.caption.split(/ (?=of )/);
    this.caption.data = ` ${what}`;
    setText(this.of, of && ended ? ` ${of}` : "");
    const most = gauge.budget ?? Math.max(gauge.used, 1);
    attrs(this.bar, {
      "aria-valuemin": "0",
      "aria-valuemax": String(most),
      "aria-valuenow": String(Math.min(gauge.used, most)),
      "aria-valuetext": spokenGauge(gauge),
    });
    KINDS.forEach((kind, place) => {
      setShare(this.solid[place], gauge.kinds[kind].share);
      setShare(this.live[place], gauge.kinds[kind].live);
    });
  }
}

/**
 * Return the gauge in one sentence.
 * @param {Gauge} gauge
 */
export function spokenGauge(gauge) {
  const used = gauge.used.toLocaleString("en-US");
  const of = gauge.budget === null ? "" : ` of ${gauge.budget.toLocaleString("en-US")}`;
  const split = KINDS.map((kind) => `${gauge.kinds[kind].label} ${gauge.kinds[kind].text}`);
  return `${used}${of} tokens counted: ${split.join(", ")}`;
}

/** One ceiling: a phrase over its bar. */
class CeilingFigure {
  constructor() {
    this.spent = h("b");
    this.of = document.createTextNode("");
    this.fill = h("i");
    this.bar = attrs(h("div", "bm-thin", this.fill), {
      role: "meter",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    });
    this.el = h("div", "bm-ceiling", h("div", "bm-ceiling-value", this.spent, this.of), this.bar);
  }

  /**
   * @param {CeilingName} kind
   * @param {Ceiling | undefined} row
   * @param {string} title
   */
  update(kind, row, title) {
    show(this.el, row !== undefined);
    if (!row) return;
    setText(this.spent, row.spent);
    this.of.data = ` ${row.of}${row.ceiling ? UNITS[kind] : ""}`;
    setShare(this.fill, row.share);
    const nearest = row.nearest ? ", nearest ceiling" : "";
    attrs(this.el, {
      "data-kind": kind,
      "data-nearest": row.nearest,
      "data-level": row.level,
      title,
    });
    attrs(this.bar, {
      "aria-label": `${kind} ceiling`,
      "aria-valuenow": String(Math.round(100 * row.share)),
      "aria-valuetext": `${row.spent} ${row.of}${UNITS[kind]}${nearest}`,
    });
  }
}
