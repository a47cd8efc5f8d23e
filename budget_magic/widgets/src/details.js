// @ts-check
// Everything else about budget, ceilings and bill; opens below the row and stays open for the task.

import { attrs, h, segment, setShare, setText, show, svg } from "./dom.js";
import { KINDS, SPARK, sparkPaths } from "./geometry.js";

/**
 * @typedef {import("./types").CeilingName} CeilingName
 * @typedef {import("./types").Gauge} Gauge
 * @typedef {import("./types").Head} Head
 * @typedef {import("./types").KindName} KindName
 * @typedef {import("./types").Meters} Meters
 * @typedef {import("./types").Pace} Pace
 * @typedef {import("./view.js").View} View
 */

const CEILINGS = /** @type {CeilingName[]} */ (["cost", "tokens", "steps", "time"]);
const ON_CEILINGS =
  "Held: the most that requests under way or cut off can still cost; what they do not use is given" +
  " back. A ceiling ends the task; a budget is advice to Claude. Tokens here leave out what was" +
  " read from the cache.";
const BILLED = { cache_read: "cached", cache_write: "written", fresh: "fresh" };

export class Details {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.settings = h("p", "bm-settings");
    this.simulated = h("p", "bm-settings");
    this.kinds = new KindsTable();
    this.pace = new PaceLine();
    this.ceilings = new CeilingsTable();
    this.meters = h("div", "bm-meters");
    this.el = attrs(
      h(
        "section",
        "bm-details",
        this.settings,
        this.simulated,
        h("div", "", this.kinds.el, this.pace.el),
        h("div", "", this.ceilings.el),
        this.meters,
      ),
      { "aria-label": "Details" },
    );
    this.el.hidden = true;
  }

  toggle() {
    this.open(this.el.hidden === true);
    this.view.memory.details = !this.el.hidden;
  }

  /** @param {boolean} open */
  open(open) {
    show(this.el, open);
    attrs(this.view.el, { "data-details": open });
    attrs(this.view.header.details, { "aria-expanded": String(open) });
    if (open) this.update(this.view.feed.head);
  }

  /** @param {Head} head */
  update(head) {
    if (this.el.hidden || !head.state) return;
    setText(this.settings, head.settings);
    setText(this.simulated, head.simulated);
    show(this.simulated, Boolean(head.simulated));
    this.kinds.update(head.gauge);
    this.pace.update(head.pace);
    this.ceilings.update(head.ceilings);
    this.meters.replaceChildren(...metersParts(head.meters));
  }
}

/**
 * Return a table with a head.
 * @param {(string | Node)[]} names
 * @param {HTMLElement[]} rows
 * @param {HTMLElement[]} foot
 */
function table(names, rows, foot = []) {
  const cells = names.map((name) =>
    name === "" ? h("td") : attrs(h("th", "", name), { scope: "col" }),
  );
  return h(
    "table",
    "bm-table",
    h("thead", "", h("tr", "", ...cells)),
    h("tbody", "", ...rows),
    ...(foot.length ? [h("tfoot", "", ...foot)] : []),
  );
}

/**
 * Return a row whose first cell is its name.
 * @param {(string | Node)[]} name
 * @param {...(string | HTMLElement)} cells
 */
function row(name, ...cells) {
  const values = cells.map((cell) =>
    cell instanceof HTMLTableCellElement ? cell : h("td", "", cell),
  );
  return h("tr", "", attrs(h("th", "", ...name), { scope: "row" }), ...values);
}

/** @param {string} className */
function key(className) {
  return attrs(h("span", `bm-key ${className}`), { "aria-hidden": "true" });
}

class KindsTable {
  constructor() {
    this.cells = KINDS.map(() => ({ label: h("span"), share: h("td"), tokens: h("td") }));
    const rows = this.cells.map(({ label, share, tokens }, place) =>
      row([key(`bm-seg--${KINDS[place]}`), label], share, tokens),
    );
    this.counted = h("td");
    this.left = h("span");
    this.leftTokens = h("td");
    this.leftRow = row([this.left], "", this.leftTokens);
    const foot = [row(["counted"], "", this.counted), this.leftRow];
    this.turn = h("p", "bm-words");
    const head = h("h3", "", "Where the budget went");
    this.el = h(
      "div",
      "",
      head,
      table(["tokens counted", "share", "tokens"], rows, foot),
      this.turn,
    );
  }

  /** @param {Gauge} gauge */
  update(gauge) {
    const counts = KINDS.map((kind) => count(gauge.kinds[kind].text));
    const whole = counts.reduce((sum, tokens) => sum + tokens, 0) || 1;
    KINDS.forEach((kind, place) => {
      const cell = this.cells[place];
      if (!cell) return;
      setText(cell.label, gauge.kinds[kind].label);
      setText(cell.share, `${Math.round((100 * (counts[place] ?? 0)) / whole)} %`);
      setText(cell.tokens, gauge.kinds[kind].text);
    });
    const about = gauge.estimated ? "≈ " : "";
    setText(this.counted, `${about}${gauge.used.toLocaleString("en-US")}`);
    show(this.leftRow, gauge.budget !== null);
    const of = (gauge.budget ?? 0).toLocaleString("en-US");
    setText(this.left, gauge.over ? `over ${of}` : `left of ${of}`);
    setText(this.leftTokens, `${about}${gauge.number}`);
    setText(this.turn, gauge.turn_line);
    show(this.turn, Boolean(gauge.turn_line));
  }
}

/**
 * Return a figure as a number, without its commas and marks.
 * @param {string} text
 */
const count = (text) => Number(text.replace(/\D/g, ""));

class PaceLine {
  constructor() {
    this.spark = attrs(
      svg("svg", {
        class: "bm-spark",
        viewBox: `0 0 ${SPARK.width} ${SPARK.height}`,
        preserveAspectRatio: "none",
      }),
      { role: "img" },
    );
    this.line = svg("path", {});
    this.next = svg("path", { class: "bm-spark-next" });
    const zero = svg("path", { class: "bm-spark-zero", d: `M0 ${SPARK.height}H${SPARK.width}` });
    this.spark.append(zero, this.line, this.next);
    this.words = h("p", "bm-words");
    this.el = h("div", "bm-pace", this.spark, this.words);
  }

  /** @param {Pace} pace */
  update(pace) {
    show(this.el, Boolean(pace.text));
    setText(this.words, pace.text);
    const paths = sparkPaths(pace);
    this.spark.toggleAttribute("hidden", paths === null);
    if (!paths) return;
    attrs(this.spark, { "aria-label": `Tokens left after each step: ${pace.left.join(", ")}` });
    attrs(this.line, { d: paths.line });
    attrs(this.next, { d: paths.next || "M0 0" });
  }
}

class CeilingsTable {
  constructor() {
    this.rows = CEILINGS.map((kind) => {
      const word = h("span", "bm-ceiling-word");
      const done = h("i");
      const held = h("i", "bm-held");
      const bar = attrs(h("div", "bm-thin", done, held), {
        role: "meter",
        "aria-label": `${kind} spent and held`,
        "aria-valuemin": "0",
        "aria-valuemax": "100",
      });
      const spent = h("td");
      const heldText = h("td", "bm-quiet");
      const ceiling = h("td");
      const el = row([kind, word], h("td", "bm-fill", bar), spent, heldText, ceiling);
      attrs(el, { "data-ceiling": kind });
      return { kind, el, word, done, held, bar, spent, heldText, ceiling };
    });
    const names = ["what", "", "spent", "held", "ceiling"];
    const rows = this.rows.map(({ el }) => el);
    const words = h("p", "bm-words", ON_CEILINGS);
    this.el = h("div", "", h("h3", "", "Ceilings"), table(names, rows), words);
  }

  /** @param {Head["ceilings"]} ceilings */
  update(ceilings) {
    for (const shown of this.rows) {
      const one = ceilings[shown.kind];
      show(shown.el, one !== undefined);
      if (!one) continue;
      const held = one.held || "–";
      setText(shown.word, one.word && `, ${one.word}`);
      setShare(shown.done, one.share);
      setShare(shown.held, one.held_share);
      setText(shown.spent, one.spent);
      setText(shown.heldText, held);
      setText(shown.ceiling, one.ceiling || "none");
      attrs(shown.el, { "data-level": one.level, "data-nearest": one.nearest });
      attrs(shown.bar, {
        "aria-valuenow": String(Math.round(100 * one.share)),
        "aria-valuetext": `${one.spent} spent, ${held} held, ceiling ${one.ceiling || "none"}`,
      });
    }
  }
}

/**
 * Return what was counted and what was billed, side by side.
 * @param {Meters} meters
 */
function metersParts(meters) {
  const sum = KINDS.reduce((all, kind) => all + meters.kinds[kind], 0) || 1;
  const counted = KINDS.map((kind) =>
    segment(`bm-seg bm-seg--${kind}`, (meters.counted_share * meters.kinds[kind]) / sum),
  );
  const billed = meters.rows.map((line) =>
    segment(`bm-seg ${rowColour(line.kind)}`, line.token_share),
  );
  const words = [meters.scope && `For the ${meters.scope.replace("this ", "")}.`, meters.says];
  const pair = h(
    "div",
    "bm-pair",
    ...bar("counted", meters.counted, "tokens counted", counted),
    ...bar("billed", meters.billed, "tokens billed", billed),
  );
  const rows = meters.rows.map((line) =>
    row([key(rowColour(line.kind)), line.label], line.tokens, line.price, line.cost),
  );
  const foot = [row(["so far"], meters.billed, "", meters.total)];
  return [
    h(
      "div",
      "",
      h("h3", "", "Two meters"),
      pair,
      h("p", "bm-words", words.filter(Boolean).join(" ")),
    ),
    h(
      "div",
      "",
      table(["billed", "tokens", "$ a million", "dollars"], rows, foot),
      h("p", "bm-words", meters.source),
    ),
  ];
}

/** @param {string} kind */
const rowColour = (kind) =>
  kind === "output"
    ? "bm-seg--output"
    : `bm-seg--${BILLED[/** @type {"fresh"} */ (kind)] ?? "fresh"}`;

/**
 * @param {string} name
 * @param {string} value
 * @param {string} of
 * @param {HTMLElement[]} segments
 */
function bar(name, value, of, segments) {
  const el = attrs(h("div", "bm-bar", ...segments), {
    role: "img",
    "aria-label": `${value} ${of}`,
  });
  return [h("span", "", name), el, h("span", "", value)];
}
