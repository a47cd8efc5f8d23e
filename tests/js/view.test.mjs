// What a person sees and does, in a page without a browser.
import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { head, paint, press, row } from "./page.mjs";

const { default: panel } = await import("../../budget_magic/widgets/src/panel.js");

const opened = [];

/** A view of a turn, what it sent, and how to send it messages. */
function open(more = {}, steps = []) {
  const state = { snapshot: { r: 0, head: head(more), steps, earlier: 0, streams: [] }, saved: {} };
  const heard = {};
  const sent = [];
  const model = {
    get: (name) => state[name],
    send: (content) => sent.push(content),
    on: (name, call) => {
      heard[name] = call;
    },
    off: (name) => delete heard[name],
  };
  const widget = panel();
  const el = document.createElement("main");
  document.body.append(el);
  const close = [widget.initialize({ model }), widget.render({ model, el })];
  let r = 0;
  const tell = (message) => {
    r += 1;
    heard["msg:custom"]({ r, ...message });
    paint();
  };
  const one = { el, sent, tell, heard, close, q: (place) => el.querySelector(place) };
  opened.push(one);
  return one;
}

afterEach(() => {
  for (const { close, el } of opened.splice(0)) {
    for (const end of close.toReversed()) end();
    el.remove();
  }
  sessionStorage.clear();
});

const asked = (id, more = {}) => ({
  id,
  name: "shell",
  sentence: "Claude wants to run shell. It runs a command, so it asks.",
  fields: [["command", `echo ${id}`, ""]],
  place: "",
  ...more,
});

test("one row says state, what is left, cost and the nearest ceiling", () => {
  const { q, el } = open();
  assert.equal(q(".bm-state").textContent, "Running");
  assert.equal(q(".bm-now").textContent, "step 6, writing");
  assert.equal(q(".bm-left").textContent, "≈ 40,112 tokens left");
  const [cost, nearest] = el.querySelectorAll(".bm-figures .bm-ceiling");
  assert.equal(cost.textContent, "$0.26 of $5.00");
  assert.equal(nearest.textContent, "6 of 12 steps");
  assert.equal(q(".bm-details").hidden, true);
});

test("the nearest ceiling is left out where it is the cost", () => {
  const { ceilings } = head();
  const cost = { ...ceilings.cost, nearest: true };
  const { el } = open({ ceilings: { cost, steps: { ...ceilings.steps, nearest: false } } });
  const figures = [...el.querySelectorAll(".bm-figures .bm-ceiling")];
  assert.deepEqual(
    figures.map((figure) => figure.hidden),
    [false, true],
  );
});

test("details stay open for the task, in the next panel too", () => {
  const first = open();
  first.q(".bm-details-button").click();
  assert.equal(first.q(".bm-details").hidden, false);
  assert.equal(open().q(".bm-details").hidden, false);
  assert.equal(open({ task: "other" }).q(".bm-details").hidden, true);
});

test("a height that was set by keys stays for the task", () => {
  const { q, el } = open();
  press(q(".bm-resize"), "ArrowDown");
  const set = el.firstChild.style.getPropertyValue("--bm-height");
  assert.equal(set, "160px");
  assert.equal(open().el.firstChild.style.getPropertyValue("--bm-height"), set);
});

test("of the calls that wait the first is shown, and the next once it is answered", () => {
  const { q, el, sent, tell } = open({
    state: "waiting",
    approvals: [asked("a", { place: "1 of 2 waiting" }), asked("b", { place: "2 of 2 waiting" })],
  });
  assert.equal(el.querySelectorAll(".bm-approval").length, 1);
  assert.equal(q(".bm-queue").textContent, "1 of 2 waiting");
  press(q(".bm-approval"), "y");
  press(q(".bm-approval"), "n");
  assert.deepEqual(sent.at(-1), { k: "decide", id: "a", kind: "once", reason: "" });
  assert.equal(q(".bm-queue").textContent, "approved");
  tell({ h: { approvals: [asked("b")] } });
  assert.equal(q(".bm-approval dd").textContent, "echo b");
});

test("a second press does not answer the call that comes next", () => {
  mock.timers.enable({ apis: ["Date"] });
  const { q, sent, tell } = open({ state: "waiting", approvals: [asked("a"), asked("b")] });
  q(".bm-approval").focus();
  press(q(".bm-approval"), "y");
  tell({ h: { approvals: [asked("b")] } });
  const before = sent.length;
  press(q(".bm-approval"), "y");
  assert.equal(sent.length, before);
  mock.timers.tick(700);
  press(q(".bm-approval"), "n");
  assert.deepEqual(sent.at(-1), { k: "decide", id: "b", kind: "denied", reason: "" });
  mock.timers.reset();
});

test("what is chosen stays when the offers change, until the popover opens again", () => {
  const { q, tell } = open();
  const { offers } = head();
  q(".bm-budget-button").click();
  q(".bm-pop--budget input[value='96k']").click();
  tell({ h: { offers: { ...offers, budgets: [4_100_000, 192_000] } } });
  assert.equal(q(".bm-pop--budget input:checked").value, "96k");
  q(".bm-budget-button").click();
  q(".bm-budget-button").click();
  assert.ok(q(".bm-pop--budget input[value='4.1M']"));
});

test("letters typed as a reason decide nothing", () => {
  const { q, sent } = open({ state: "waiting", approvals: [asked("a")] });
  const before = sent.length;
  const reason = q(".bm-approval input");
  press(reason, "y");
  press(reason, "n");
  assert.equal(sent.length, before);
  reason.value = "not now";
  press(reason, "Enter");
  assert.deepEqual(sent.at(-1), { k: "decide", id: "a", kind: "denied", reason: "not now" });
});

test("invisible characters stand out and are counted, what only looks like one does not", () => {
  const fields = [["command", "echo \\x1b]0;\\u202e \\\\x1b", ""]];
  const { el, q } = open({ state: "waiting", approvals: [asked("a", { fields })] });
  const codes = [...el.querySelectorAll(".bm-escape")].map((one) => one.textContent);
  assert.deepEqual(codes, ["\\x1b", "\\u202e"]);
  assert.equal(q("dd").textContent, fields[0][1]);
  assert.match(
    q(".bm-approval .bm-words").textContent,
    /^2 invisible characters are shown as codes/,
  );
});

test("the input of a call that waits is shown once", () => {
  const blocks = [{ kind: "call", id: "a", name: "shell", text: 'shell(command="echo a")' }];
  const steps = [{ number: 1, row: row({ state: "done" }), blocks }];
  const { el, tell } = open({ state: "waiting", approvals: [asked("a")] }, steps);
  const shown = () => [...el.querySelectorAll(".bm-block")].filter((one) => !one.hidden).length;
  assert.equal(shown(), 0);
  tell({ h: { state: "running", approvals: [] }, s: [{ number: 1, row: { counted: "9" } }] });
  assert.equal(shown(), 1);
});

test("open details make way for a call that waits, and stay below it", () => {
  const { q, tell } = open();
  q(".bm-details-button").click();
  paint();
  const details = () => q(".bm-details").compareDocumentPosition(q(".bm-approvals"));
  assert.ok(details() & 4, "details stand above");
  tell({ h: { state: "waiting", approvals: [asked("a")] } });
  assert.ok(details() & 2, "details stand below");
  tell({ h: { state: "running", approvals: [] } });
  assert.ok(details() & 2, "and do not jump back");
});

test("shares are those of the tokens counted, however small a part of the budget they are", () => {
  const { el, q, tell } = open();
  q(".bm-details-button").click();
  const kinds = Object.entries({ thinking: 14, calls: 25, results: 0, text: 10 }).map(
    ([kind, tokens]) => [kind, { text: `${tokens}`, share: 0 }],
  );
  tell({ h: { gauge: { kinds: Object.fromEntries(kinds) } } });
  const rows = [...el.querySelectorAll(".bm-details table")][0].querySelectorAll("tbody tr");
  assert.deepEqual(
    [...rows].slice(0, 4).map((row) => row.cells[1].textContent),
    ["29 %", "51 %", "0 %", "20 %"],
  );
});

test("what stands between backticks in a notice is code", () => {
  const { el, q } = open({ notes: ["declare it with `@tool(reads=True)` first"] });
  assert.equal(q(".bm-note code").textContent, "@tool(reads=True)");
  const shown = [...el.querySelectorAll(".bm-note")].at(-1);
  assert.equal(shown.textContent, "declare it with @tool(reads=True) first");
});

test("finished Markdown is rendered while it streams, what is open is text", () => {
  const { q, tell } = open();
  tell({
    n: [[1, 1, "text", ""]],
    d: [[1, 0, "# One\n\nnow **bo"]],
    s: [{ number: 1, row: row() }],
  });
  assert.equal(q(".bm-prose").textContent, "# One\n\nnow **bo");
  tell({ m: [[1, 0, 7, "<h1>One</h1>"]] });
  const heading = q(".bm-prose h1");
  assert.equal(q(".bm-flow").textContent, "now **bo");
  tell({ d: [[1, 15, "ld**"]], m: [[1, 7, 19, "<p>now <strong>bold</strong></p>"]] });
  assert.equal(q(".bm-flow").textContent, "");
  assert.equal(q(".bm-prose strong").textContent, "bold");
  assert.equal(q(".bm-prose h1"), heading, "what was rendered stays as it was");
});

test("text of a model never becomes HTML", () => {
  const hostile = "<img src=x onerror=alert(1)>";
  const { el, tell } = open({
    now: hostile,
    notes: [hostile],
    state: "waiting",
    approvals: [asked("a", { name: hostile, fields: [[hostile, hostile, ""]] })],
  });
  tell({ n: [[1, 1, "text", ""]], d: [[1, 0, hostile]], s: [{ number: 1, row: row() }] });
  tell({ h: { verdict: [hostile, hostile, hostile, hostile], ended: true, prompt: hostile } });
  assert.equal(el.querySelectorAll("img").length, 0);
});

test("thinking is folded once it is over, and says how much it was", () => {
  const { q, tell } = open();
  const tokens = { thinking: 1110, calls: 0, results: 0, text: 0 };
  tell({ n: [[1, 1, "thinking", ""]], d: [[1, 0, "Hm."]], s: [{ number: 1, row: row() }] });
  assert.equal(q(".bm-thought").open, true);
  const done = { state: "done", tokens };
  tell({ s: [{ number: 1, row: done, from: 0, blocks: [{ kind: "thinking", stream: 1 }] }] });
  assert.equal(q(".bm-thought").open, false);
  assert.equal(q(".bm-thought summary").textContent, "thought, 1,110 tokens");
});

test("a choice is asked for once it is pressed, and Escape only closes", () => {
  const { q, sent, el } = open();
  const before = sent.length;
  q(".bm-effort-button").click();
  assert.equal(q(".bm-pop--effort .bm-choice").disabled, true);
  q(".bm-pop--effort input[value=low]").click();
  assert.equal(sent.length, before);
  q(".bm-pop--effort .bm-choice[data-when=next]").click();
  assert.deepEqual(sent.at(-1), { k: "effort", level: "low", when: "next" });
  assert.equal(q(".bm-pop--effort").hidden, true);
  q(".bm-budget-button").click();
  press(el.firstChild, "Escape");
  assert.equal(q(".bm-pop--budget").hidden, true);
  assert.equal(sent.length, before + 1);
});

test("a budget of one's own is sent as it was typed, too small a one is not", () => {
  const { q, sent } = open();
  q(".bm-budget-button").click();
  const other = q(".bm-pop--budget input[type=text]");
  const type = (text) => {
    other.value = text;
    other.dispatchEvent(new window.Event("input"));
  };
  const now = q(".bm-pop--budget .bm-choice[data-when=now]");
  type("5k");
  assert.equal(now.disabled, true);
  assert.match(q(".bm-pop--budget .bm-words").textContent, /from 20k on/);
  type("100k");
  assert.equal(
    q(".bm-pop--budget .bm-words").textContent,
    "100k means about 76,112 tokens left, instead of 40,112 tokens left.",
  );
  now.click();
  assert.deepEqual(sent.at(-1), { k: "budget", from: 64_000, to: "100k", when: "now" });
});

test("a ceiling that is near is raised by what the button says", () => {
  const { ceilings } = head();
  const near = {
    ...ceilings.cost,
    level: "near",
    near: ["$4.53 of $5.00 is spent.", "$0.47 is left."],
  };
  const { q, sent } = open({ ceilings: { cost: near } });
  const note = q(".bm-note--near");
  assert.equal(note.textContent, "$4.53 of $5.00 is spent. $0.47 is left.+$2, ceiling $7.00");
  q(".bm-raise").click();
  q(".bm-raise").click();
  assert.deepEqual(
    sent.filter(({ k }) => k === "ceiling"),
    [{ k: "ceiling", ceiling: "cost", from: "5", to: "7" }],
  );
});

test("at the end the answer stands in the width that is there, the steps are folded", () => {
  const steps = [{ number: 1, row: row({ state: "done" }), blocks: [] }];
  const { q, tell } = open({}, steps);
  const { list } = { list: q(".bm-steps") };
  tell({
    h: { ended: true, state: "completed", word: "Completed", answer: "<p>All is well.</p>" },
  });
  assert.equal(q(".bm-answer").textContent, "All is well.");
  assert.equal(q(".bm-prompt").textContent, "PromptAudit this shop.");
  assert.equal(q(".bm-box").hidden, true);
  assert.equal(q(".bm-log").open, false);
  assert.equal(q(".bm-log .bm-steps"), list);
  assert.equal(q(".bm-stop").hidden, true);
});

test("text that was cut off is marked where it ends", () => {
  const { q } = open({ ended: true, state: "interrupted", answer: "<p>So far</p>", cut: true });
  assert.equal(q(".bm-answer .bm-cut").textContent, "cut off here");
});

test("a view that is closed leaves nothing behind", () => {
  const { el, close, heard } = open();
  close[1]();
  close[0]();
  assert.equal(el.childElementCount, 0);
  assert.deepEqual(Object.keys(heard), []);
});
