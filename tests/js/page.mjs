// A page without a browser: the DOM of happy-dom, and frames that a test paints when it wants to.
import { Window } from "happy-dom";

const window = new Window({ url: "http://panel.test/lab/tree/a.ipynb" });
let frames = [];
const names = [
  "document",
  "location",
  "sessionStorage",
  "Element",
  "HTMLElement",
  "HTMLInputElement",
  "HTMLTableCellElement",
  "KeyboardEvent",
];
for (const name of names) globalThis[name] = window[name];
globalThis.window = window;
globalThis.getSelection = () => window.getSelection();
globalThis.requestAnimationFrame = (paint) => frames.push(paint);
globalThis.cancelAnimationFrame = () => {};

/** Paint what waits for a frame. */
export function paint() {
  const waiting = frames;
  frames = [];
  for (const one of waiting) one();
}

/** What a listener of the page's events hears. */
export const press = (el, key) =>
  el.dispatchEvent(new window.KeyboardEvent("keydown", { key, bubbles: true }));

export const kinds = { thinking: 0, calls: 0, results: 0, text: 0 };

/** The head of a turn, with what a test changes. */
export function head(more = {}) {
  const kind = (label) => ({ label, text: "0", share: 0, live: 0 });
  const choice = { title: "Now", price: "+$0.12 once", why: "The cache is written again." };
  const ceiling = {
    spent: "$0.26",
    held: "",
    of: "of $5.00",
    ceiling: "$5.00",
    share: 0.05,
    held_share: 0,
    level: "",
    nearest: false,
    word: "",
    near: null,
  };
  return {
    task: "audit",
    turn: 1,
    step: 6,
    state: "running",
    word: "Running",
    ended: false,
    now: "step 6, writing",
    simulated: "",
    settings: "audit, turn 1",
    verdict: null,
    notes: [],
    gauge: {
      budget: 64_000,
      used: 23_888,
      number: "40,112",
      caption: "tokens left of 64,000",
      used_text: "",
      over: false,
      estimated: true,
      limit: null,
      began: null,
      turn_line: "",
      kinds: {
        thinking: kind("thinking"),
        calls: kind("tool calls"),
        results: kind("tool results"),
        text: kind("text"),
      },
    },
    pace: { shares: [], steps: 0, more: null, left: [], text: "" },
    ceilings: {
      cost: ceiling,
      steps: { ...ceiling, spent: "6", of: "of 12", ceiling: "12", share: 0.5, nearest: true },
    },
    meters: {
      says: "",
      counted: "0",
      billed: "0",
      counted_share: 0,
      kinds,
      rows: [],
      total: "",
      source: "",
      scope: "",
    },
    prompt: "Audit this shop.",
    prompt_note: "",
    answer: "",
    cut: false,
    steps_text: "6 steps, 10 tool calls",
    approvals: [],
    offers: {
      levels: ["low", "high"],
      effort: "high",
      next: "high",
      effort_now: choice,
      effort_next: choice,
      budget: 64_000,
      next_budget: 64_000,
      least_budget: 20_000,
      budgets: [96_000, 128_000],
      budget_now: choice,
      budget_next: choice,
      ceilings: { cost: { by: "+$2", from: "5", to: "7", text: "$7.00" } },
    },
    no_events: false,
    ...more,
  };
}

/** A row of a step, with what a test changes. */
export const row = (more = {}) => ({
  state: "live",
  parts: [["", 1, "writing"]],
  marks: [],
  tokens: { ...kinds },
  live: { ...kinds },
  counted: "",
  cost: "",
  time: "",
  why: "",
  ...more,
});
