// What the panel computes before it draws, without a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lineDiff } from "../../budget_magic/widgets/src/diff.js";
import {
  boxHeight,
  chunkBreak,
  follows,
  largestStep,
  sparkPaths,
} from "../../budget_magic/widgets/src/geometry.js";
import { budgetText, spokenGauge } from "../../budget_magic/widgets/src/header.js";
import { halves, stopNote } from "../../budget_magic/widgets/src/notes.js";
import { readBudget } from "../../budget_magic/widgets/src/popovers.js";
import panel from "../../budget_magic/widgets/static/panel.js";

test("the module can be read where there is no page", () => {
  assert.deepEqual(Object.keys(panel()), ["initialize", "render"]);
});

test("the list follows its end while it is at its end", () => {
  assert.equal(follows(true, 0, { top: 540, height: 460, content: 1000 }), true);
  assert.equal(follows(false, 0, { top: 530, height: 460, content: 1000 }), true);
});

test("the list stops following once the reader scrolls up", () => {
  assert.equal(follows(true, 540, { top: 300, height: 460, content: 1000 }), false);
});

test("what grows below does not count as scrolling away", () => {
  assert.equal(follows(true, 540, { top: 540, height: 460, content: 1400 }), true);
  assert.equal(follows(false, 100, { top: 200, height: 460, content: 1400 }), false);
});

test("a list that fits is at its end", () => {
  assert.equal(follows(false, 0, { top: 0, height: 300, content: 300 }), true);
});

test("a short text stays in one chunk", () => {
  assert.equal(chunkBreak(0, "x".repeat(4000)), -1);
  assert.equal(chunkBreak(3990, "x\ny".repeat(3)), -1);
});

test("a chunk ends behind a line", () => {
  const text = `${"x".repeat(4100)}\nrest`;
  assert.equal(text.slice(chunkBreak(0, text)), "rest");
  assert.equal(chunkBreak(4100, "abc\ndef"), 4);
});

test("a line without end is broken at last, never within a character", () => {
  assert.equal(chunkBreak(3000, "x".repeat(5000)), -1);
  assert.equal(chunkBreak(0, "x".repeat(20_000)), 8000);
  assert.equal(chunkBreak(8000, "xy"), 0);
  const text = `${"x".repeat(7999)}𝄞${"y".repeat(100)}`;
  assert.equal(text.slice(0, chunkBreak(0, text)).endsWith("𝄞"), true);
});

const pace = (shares, steps, more) => ({ shares, steps, more, left: [], text: "" });

test("the pace is drawn from the first step to now, and on to where it leads", () => {
  const paths = sparkPaths(pace([1, 0.5], 1, 1));
  assert.equal(paths.line, "M0.0 3.0L100.0 21.5");
  assert.equal(paths.next, "M100.0 21.5L200 40");
});

test("after the end the pace fills the width", () => {
  const paths = sparkPaths(pace([1, 0.6, 0.2], 2, null));
  assert.equal(paths.next, "");
  assert.match(paths.line, /L200\.0 32\.6$/);
});

test("a sampled pace spans all its steps", () => {
  assert.match(sparkPaths(pace([1, 0.5, 0], 90, 10)).line, /L180\.0 40\.0$/);
});

test("before the first step there is no pace to draw", () => {
  assert.equal(sparkPaths(pace([], 0, null)), null);
  assert.equal(sparkPaths(pace([1], 0, 5)), null);
});

test("the gauge is spoken in one sentence", () => {
  const kind = (label, text) => ({ label, text, share: 0, live: 0 });
  const kinds = {
    thinking: kind("thinking", "≈ 13,544"),
    calls: kind("tool calls", "1,021"),
    results: kind("tool results", "0"),
    text: kind("text", "478"),
  };
  assert.equal(
    spokenGauge({ budget: 64_000, used: 36_950, kinds }),
    "36,950 of 64,000 tokens counted: thinking ≈ 13,544, tool calls 1,021, tool results 0, text 478",
  );
  assert.match(spokenGauge({ budget: null, used: 310, kinds }), /^310 tokens counted: /);
});

test("an edit is shown as what goes and what comes", () => {
  assert.deepEqual(lineDiff("a\nb\nc", "a\nB\nB2\nc"), [
    ["same", "a"],
    ["del", "b"],
    ["ins", "B"],
    ["ins", "B2"],
    ["same", "c"],
  ]);
  assert.deepEqual(lineDiff("a", "a"), [["same", "a"]]);
  assert.deepEqual(lineDiff("a\na", "a"), [
    ["same", "a"],
    ["del", "a"],
  ]);
});

test("a sentence is split at its first full stop", () => {
  assert.deepEqual(halves("Claude wants to run f. It asks. Always."), [
    "Claude wants to run f.",
    "It asks. Always.",
  ]);
  assert.deepEqual(halves("Claude wants to run f."), ["Claude wants to run f.", ""]);
});

test("small bars are drawn against the largest step, what streams included", () => {
  const none = { thinking: 0, calls: 0, results: 0, text: 0 };
  const step = (tokens, live) => ({
    row: { tokens: { ...none, ...tokens }, live: { ...none, ...live } },
  });
  assert.equal(largestStep([step({ text: 5, calls: 2 }, {}), step({}, { thinking: 9 })]), 9);
  assert.equal(largestStep([]), 1);
});

test("a Stop that is not heard names what it waits for", () => {
  assert.equal(
    stopNote("step 3, look_up"),
    "Stop waits for look_up(); Kernel > Interrupt ends it now.",
  );
  assert.equal(stopNote("step 3, thinking"), "Stop waits; Kernel > Interrupt ends it now.");
});

test("the box keeps within its limits", () => {
  assert.deepEqual([20, 360.4, 5000].map(boxHeight), [160, 360, 900]);
});

test("a budget is written as people write it, and read back", () => {
  const texts = [20_000, 64_000, 64_500, 1_500_000, 65_432, 999, null].map(budgetText);
  assert.deepEqual(texts, ["20k", "64k", "64.5k", "1.5M", "65,432", "999", "none"]);
  assert.deepEqual(texts.map(readBudget), [20_000, 64_000, 64_500, 1_500_000, 65_432, 999, null]);
});

test("what a button shows can be read back", () => {
  for (let tokens = 20_000; tokens <= 5_000_000; tokens += 1000)
    assert.equal(readBudget(budgetText(tokens)), tokens);
});

test("what is no budget is told apart", () => {
  for (const text of ["", "a lot", "-5", "0", "1.5", "64kk", "k"])
    assert.equal(readBudget(text), undefined, text);
});
