// What the panel makes of the kernel's messages, without a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Feed, merge } from "../../budget_magic/widgets/src/feed.js";

const NONE = { thinking: 0, calls: 0, results: 0, text: 0 };
const ROW = {
  state: "live",
  parts: [["", 1, "writing"]],
  marks: [],
  tokens: NONE,
  live: NONE,
  counted: "",
  cost: "",
  time: "",
  why: "",
};

const snapshot = (more = {}) => ({
  r: 0,
  head: { word: "Running", gauge: { used: 1, kinds: { text: { text: "1" } } } },
  steps: [],
  earlier: 0,
  streams: [],
  ...more,
});

function started(now = () => 0) {
  const feed = new Feed(now);
  feed.takeSnapshot(snapshot());
  return feed;
}

const text = (feed, id = 1) => feed.streams.get(id)?.parts.join("");

test("a patch replaces values and goes into objects", () => {
  const target = { a: { b: 1, c: [1, 2] }, d: 1, e: null };
  merge(target, { a: { c: [3] }, d: null, e: { f: 1 } });
  assert.deepEqual(target, { a: { b: 1, c: [3] }, d: null, e: { f: 1 } });
});

test("pieces of a stream are joined in order", () => {
  const feed = started();
  feed.take({ r: 1, n: [[1, 1, "text", ""]], d: [[1, 0, "Hel"]] });
  feed.take({ r: 2, d: [[1, 3, "lo"]] });
  assert.equal(text(feed), "Hello");
});

test("pieces that overlap are told once", () => {
  const feed = started();
  feed.take({ r: 1, n: [[1, 1, "text", ""]], d: [[1, 0, "Hello"]] });
  assert.equal(feed.take({ r: 2, d: [[1, 3, "lo world"]] }), false);
  assert.equal(feed.take({ r: 3, d: [[1, 0, "Hello"]] }), false);
  assert.equal(text(feed), "Hello world");
});

test("offsets count as JavaScript does, also beyond the basic plane", () => {
  const feed = started();
  feed.take({ r: 1, n: [[1, 1, "text", ""]], d: [[1, 0, "a𝄞"]] });
  assert.equal(feed.take({ r: 2, d: [[1, 3, "b"]] }), false);
  assert.equal(text(feed), "a𝄞b");
});

test("a message that comes twice changes nothing", () => {
  const feed = started();
  const message = { r: 1, n: [[1, 1, "text", ""]], d: [[1, 0, "Hello"]] };
  feed.take(message);
  feed.take(message);
  assert.equal(text(feed), "Hello");
});

test("a gap in a text asks once for a snapshot, and again only after a while", () => {
  let now = 0;
  const feed = started(() => now);
  feed.take({ r: 1, n: [[1, 1, "text", ""]], d: [[1, 0, "a"]] });
  assert.equal(feed.take({ r: 2, d: [[1, 9, "z"]] }), true);
  assert.equal(feed.take({ r: 3, d: [[1, 10, "z"]] }), false);
  now = 6000;
  assert.equal(feed.take({ r: 4, d: [[1, 11, "z"]] }), true);
  assert.equal(text(feed), "a");
});

test("a message that was lost is noticed by its number", () => {
  const feed = started();
  assert.equal(feed.take({ r: 1, h: { word: "Waiting for you" } }), false);
  assert.equal(feed.take({ r: 3, h: { word: "Running" } }), true);
});

test("a piece of an unknown stream asks for a snapshot", () => {
  assert.equal(started().take({ r: 1, d: [[7, 0, "x"]] }), true);
});

test("a snapshot fills the gap and keeps what was there", () => {
  const feed = started();
  feed.take({ r: 1, n: [[1, 1, "text", ""]], d: [[1, 0, "Hel"]] });
  feed.take({ r: 3, d: [[1, 8, "rld"]] });
  const stream = {
    id: 1,
    step: 1,
    kind: "text",
    name: "",
    html: [],
    rendered: 0,
    from: 0,
    text: "Hello world",
  };
  feed.takeSnapshot(snapshot({ r: 3, streams: [stream] }));
  assert.equal(text(feed), "Hello world");
  assert.deepEqual(feed.streams.get(1).parts, ["Hel", "lo world"]);
  assert.equal(feed.take({ r: 4, d: [[1, 11, "!"]] }), false);
  assert.equal(text(feed), "Hello world!");
});

const stream = (more) => ({
  id: 1,
  step: 1,
  kind: "text",
  name: "",
  html: [],
  rendered: 0,
  ...more,
});

test("a snapshot without the beginning of a long text goes on from there", () => {
  const feed = new Feed();
  feed.takeSnapshot(snapshot({ r: 3, streams: [stream({ from: 100, text: "end" })] }));
  assert.equal(text(feed), "end");
  assert.equal(feed.streams.get(1).start, 100);
  feed.take({ r: 4, d: [[1, 103, "!"]] });
  assert.equal(text(feed), "end!");
});

test("finished Markdown takes the place of its text", () => {
  const feed = started();
  feed.take({ r: 1, n: [[1, 1, "text", ""]], d: [[1, 0, "# a\n\nb"]] });
  assert.equal(feed.take({ r: 2, m: [[1, 0, 5, "<h1>a</h1>"]] }), false);
  assert.equal(text(feed), "b");
  feed.take({ r: 3, d: [[1, 6, "c"]], m: [[1, 5, 7, "<p>bc</p>"]] });
  assert.equal(text(feed), "");
  assert.deepEqual(feed.streams.get(1).html, ["<h1>a</h1>", "<p>bc</p>"]);
});

test("Markdown whose text was lost asks for a snapshot, which brings both", () => {
  const feed = started();
  feed.take({ r: 1, n: [[1, 1, "text", ""]], d: [[1, 0, "a\n"]] });
  assert.equal(feed.take({ r: 3, m: [[1, 0, 6, "<p>a</p>"]] }), true);
  assert.equal(text(feed), "a\n");
  const now = stream({ html: ["<p>a</p>", "<p>b</p>"], rendered: 6, from: 6, text: "c" });
  feed.takeSnapshot(snapshot({ r: 3, streams: [now] }));
  assert.equal(text(feed), "c");
  assert.deepEqual(feed.streams.get(1).html, ["<p>a</p>", "<p>b</p>"]);
  assert.equal(feed.take({ r: 4, d: [[1, 7, "d"]] }), false);
  assert.equal(text(feed), "cd");
});

test("a snapshot older than what is known is left aside", () => {
  const feed = started();
  feed.take({ r: 1, h: { word: "Waiting for you" } });
  feed.take({ r: 2, h: { now: "step 2" } });
  feed.takeSnapshot(snapshot({ r: 1 }));
  assert.equal(feed.head.word, "Waiting for you");
});

test("the saved state of a model is not written into", () => {
  const feed = new Feed();
  const state = snapshot({ steps: [{ number: 1, row: structuredClone(ROW), blocks: [] }] });
  const before = structuredClone(state);
  feed.takeSnapshot(state);
  feed.take({ r: 1, h: { gauge: { used: 5 } }, s: [{ number: 1, row: { counted: "9" } }] });
  assert.deepEqual(state, before);
  assert.equal(feed.head.gauge.used, 5);
  assert.equal(feed.head.gauge.kinds.text.text, "1");
  assert.equal(feed.steps.get(1).row.counted, "9");
});

test("blocks of a step are replaced from a place on", () => {
  const feed = started();
  const call = { kind: "call", id: "a" };
  feed.take({ r: 1, s: [{ number: 1, row: ROW, from: 0, blocks: [call] }] });
  feed.take({ r: 2, s: [{ number: 1, from: 1, blocks: [{ kind: "result", id: "a" }] }] });
  assert.deepEqual(feed.steps.get(1).blocks, [call, { kind: "result", id: "a" }]);
  assert.equal(feed.steps.get(1).blocks[0], call);
});

test("a stream of a try that failed is forgotten", () => {
  const feed = started();
  feed.take({ r: 1, n: [[1, 1, "text", ""]], d: [[1, 0, "half"]] });
  feed.take({ r: 2, x: [1] });
  assert.equal(feed.streams.size, 0);
});

test("listeners learn which steps changed", () => {
  const feed = started();
  const changes = [];
  feed.listeners.add((change) => changes.push([...change.steps, ...change.head, change.all]));
  feed.take({ r: 1, n: [[1, 4, "text", ""]], d: [[1, 0, "x"]], h: { now: "writing" } });
  feed.takeSnapshot(snapshot({ r: 5 }));
  assert.deepEqual(changes, [[4, "now", false], [true]]);
});

test("the whole of a result reaches the step that shows it", () => {
  const feed = started();
  feed.take({ r: 1, s: [{ number: 2, row: ROW, from: 0, blocks: [{ kind: "result", id: "a" }] }] });
  const changes = [];
  feed.listeners.add((change) => changes.push(...change.steps));
  feed.take({ r: 2, w: ["a", "all of it", ""] });
  assert.deepEqual(changes, [2]);
  assert.deepEqual(feed.wholes.get("a"), { text: "all of it", note: "" });
});

test("any split of a text into overlapping pieces gives the text", () => {
  let seed = 7;
  const random = (below) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  const whole = Array.from({ length: 400 }, () => "ab𝄞\né "[random(6)] ?? "x").join("");
  for (let round = 0; round < 50; round += 1) {
    const feed = started();
    let told = 0;
    for (let r = 1; told < whole.length; r += 1) {
      const from = Math.max(0, told - random(20));
      const to = Math.min(whole.length, told + random(40));
      feed.take({
        r,
        n: r === 1 ? [[1, 1, "text", ""]] : [],
        d: [[1, from, whole.slice(from, to)]],
      });
      told = Math.max(told, to);
    }
    assert.equal(text(feed), whole);
  }
});
