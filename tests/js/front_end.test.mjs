// What the panel does with a front end that lets it: the kernel's state, the notebook's file, the tab.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { head, paint, row } from "./page.mjs";

const { default: panel } = await import("../../budget_magic/widgets/src/panel.js");
const { Attention } = await import("../../budget_magic/widgets/src/attention.js");
const { NotebookFile } = await import("../../budget_magic/widgets/src/saved.js");

const WIDGET = "application/vnd.jupyter.widget-view+json";

class Signal {
  heard = new Set();
  connect(call) {
    this.heard.add(call);
  }
  disconnect(call) {
    this.heard.delete(call);
  }
  emit(value) {
    for (const call of this.heard) call(this, value);
  }
}

const ended = [];
afterEach(() => {
  for (const end of ended.splice(0)) end();
  sessionStorage.clear();
});

function open(more = {}, steps = [{ number: 6, row: row(), blocks: [] }]) {
  const kernel = { statusChanged: new Signal(), disposed: new Signal() };
  const sessionContext = { statusChanged: new Signal(), kernelChanged: new Signal() };
  const snapshot = { r: 0, head: head(more), steps, earlier: 0, streams: [] };
  const model = {
    get: (name) => ({ snapshot })[name],
    send: () => {},
    on: () => {},
    off: () => {},
    widget_manager: { kernel, context: { sessionContext } },
  };
  const widget = panel();
  const el = document.createElement("main");
  document.body.append(el);
  const closeFeed = widget.initialize({ model });
  ended.push(widget.render({ model, el }), closeFeed, () => el.remove());
  return { q: (place) => el.querySelector(place), kernel, sessionContext, closeFeed };
}

test("a kernel that dies while a call waits leaves the call in the transcript", () => {
  const blocks = [{ kind: "call", id: "a", name: "shell", text: 'shell(command="echo a")' }];
  const marks = [["waiting", "waiting for you", ""]];
  const steps = [{ number: 1, row: row({ state: "done", marks }), blocks }];
  const field = ["command", "echo a", ""];
  const asked = { id: "a", name: "shell", sentence: "Asks.", fields: [field], place: "" };
  const { q, kernel } = open({ state: "waiting", approvals: [asked] }, steps);
  assert.equal(q(".bm-block").hidden, true);
  kernel.statusChanged.emit("dead");
  paint();
  assert.equal(q(".bm-block").hidden, false);
  assert.equal(q(".bm-mark").textContent, "not answered");
});

for (const status of ["restarting", "autorestarting", "dead"])
  test(`a kernel that is ${status} is said to be gone, and the buttons are off`, () => {
    const { q, kernel } = open();
    kernel.statusChanged.emit("busy");
    paint();
    assert.equal(q(".bm-state").textContent, "Running");
    kernel.statusChanged.emit(status);
    paint();
    assert.equal(q(".bm-state").textContent, "No kernel");
    assert.equal(q(".bm-now").textContent, "last seen: step 6, writing");
    assert.match(q(".bm-note--gone").textContent, /^The kernel that ran this turn is gone\./);
    assert.equal(q(".bm-mark").textContent, "broke off");
    for (const name of ["stop", "effort-button", "budget-button"])
      assert.equal(q(`.bm-${name}`).disabled, true, name);
  });

test("another kernel for the notebook means that this one is gone", () => {
  const { q, sessionContext, kernel } = open();
  sessionContext.kernelChanged.emit({ newValue: kernel });
  paint();
  assert.equal(q(".bm-state").textContent, "Running");
  sessionContext.kernelChanged.emit({ newValue: {} });
  paint();
  assert.equal(q(".bm-state").textContent, "No kernel");
});

test("a turn that has ended does not mind", () => {
  const { q, kernel } = open({ ended: true, state: "completed", word: "Completed" });
  kernel.statusChanged.emit("dead");
  paint();
  assert.equal(q(".bm-state").textContent, "Completed");
});

test("nothing is watched once the widget is closed", () => {
  const { kernel, sessionContext, closeFeed } = open();
  closeFeed();
  for (const signal of [...Object.values(kernel), ...Object.values(sessionContext)])
    assert.equal(signal.heard.size, 0);
});

/** A notebook as JupyterLab models it: outputs that are rendered, and those that are saved. */
function notebook(outputs, id = "cell-1") {
  const shown = outputs.map((one) => ({ ...one }));
  const file = outputs.map((one) => ({ ...one }));
  const calls = [];
  const cell = {
    id,
    type: "code",
    outputs: {
      get length() {
        return shown.length;
      },
      get: (index) => shown[index],
      set: (index, output) => {
        shown[index] = output;
        file[index] = output;
      },
      add: (output) => {
        shown.push(output);
        file.push(output);
      },
    },
    sharedModel: {
      updateOutputs: (start, end, put, origin) => {
        calls.push(origin);
        file.splice(start, end - start, ...put);
      },
    },
  };
  const cells = [{ id: "text", type: "markdown" }, cell];
  cells.get = (index) => cells[index];
  return { shown, file, calls, model: { widget_manager: { context: { model: { cells } } } } };
}

const live = { data: { [WIDGET]: { model_id: "p1" }, "text/html": "old" }, metadata: {} };
const saved = (more = {}) => ({
  panel: "p1",
  cell: "cell-1",
  ended: false,
  bundle: { "text/html": "<b>report</b>" },
  ...more,
});

test("the file gets the report while the page keeps the live view", () => {
  const { shown, file, calls, model } = notebook([{ data: {}, metadata: {} }, live]);
  new NotebookFile(model).put(saved(), false);
  assert.equal(shown[1].data[WIDGET].model_id, "p1");
  assert.deepEqual(file[1].data, { "text/html": "<b>report</b>" });
  assert.deepEqual(file[1].metadata, { budget_magic: { panel: "p1" } });
  assert.deepEqual(calls, ["silent-change"]);
});

const marked = { data: { "text/html": "old" }, metadata: { budget_magic: { panel: "p1" } } };

test("a page that was loaded while the turn ran gets its panel back, the file keeps the report", () => {
  const { shown, file, model } = notebook([marked]);
  new NotebookFile(model).put(saved(), true);
  assert.equal(shown[0].data[WIDGET].model_id, "p1");
  assert.deepEqual(file[0].data, { "text/html": "<b>report</b>" });
});

test("a live view that the kernel cannot replace gives way to the report at the end", () => {
  const { shown, file, model } = notebook([live]);
  new NotebookFile(model).put(saved({ ended: true }), true);
  assert.deepEqual(shown[0].data, { "text/html": "<b>report</b>" });
  assert.deepEqual(file[0].data, { "text/html": "<b>report</b>" });
});

test("a report that came before the output is put there once it is shown", () => {
  const outputs = [];
  const { shown, file, model } = notebook(outputs);
  const heard = {};
  const values = {
    snapshot: { r: 0, head: head(), steps: [], earlier: 0, streams: [] },
    saved: {},
  };
  const widget = panel();
  const all = {
    ...model,
    get: (name) => values[name],
    on: (event, hear) => {
      heard[event] = hear;
    },
    off() {},
    send() {},
  };
  ended.push(widget.initialize({ model: all }));
  heard["msg:custom"]({ saved: saved() });
  assert.equal(shown.length, 0);

  shown.push({ ...live });
  file.push({ ...live });
  ended.push(widget.render({ model: all, el: document.createElement("div") }));

  assert.equal(shown[0].data[WIDGET].model_id, "p1");
  assert.deepEqual(file[0].data, { "text/html": "<b>report</b>" });
});

test("a page that was loaded while the turn ran gets the report in its place", () => {
  const { shown, model } = notebook([marked]);
  new NotebookFile(model).put(saved({ ended: true }), true);
  assert.deepEqual(shown[0].data, { "text/html": "<b>report</b>" });
  assert.deepEqual(shown[0].metadata, {});
});

test("a page that never had the output gets it below its cell, once", () => {
  const { shown, model } = notebook([]);
  const form = new NotebookFile(model);
  form.put(saved(), false);
  assert.equal(shown.length, 0);
  form.put(saved(), true);
  form.put(saved({ ended: true }), true);
  assert.deepEqual(
    shown.map(({ data }) => data),
    [{ "text/html": "<b>report</b>" }],
  );
});

test("the kernel is told once the final report is in the notebook", () => {
  for (const [ended, told] of [
    [false, []],
    [true, [{ k: "kept" }]],
  ]) {
    const { model } = notebook([]);
    const sent = [];
    const values = { snapshot: { r: 0, head: head(), steps: [], earlier: 0, streams: [] } };
    const all = { ...values, saved: saved({ ended }) };
    const more = { get: (name) => all[name], send: (m) => sent.push(m), on() {}, off() {} };
    panel().initialize({ model: { ...model, ...more } })();
    assert.deepEqual(
      sent.filter(({ k }) => k === "kept"),
      told,
    );
  }
});

test("a front end that hands out no notebook is left alone", () => {
  for (const model of [
    {},
    { widget_manager: {} },
    { widget_manager: { context: { model: {} } } },
  ]) {
    const form = new NotebookFile(model);
    assert.equal(form.works, false);
    form.put(saved(), true);
  }
});

const hide = (hidden) =>
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });

test("the tab of a hidden page says that a person is needed, until it is looked at", () => {
  document.title = "audit.ipynb";
  const attention = new Attention();
  ended.push(() => attention.remove());
  hide(true);
  attention.update(head());
  attention.update(head({ state: "waiting", word: "Waiting for you" }));
  assert.equal(document.title, "(waiting for you) audit.ipynb");
  hide(false);
  document.dispatchEvent(new window.Event("visibilitychange"));
  assert.equal(document.title, "audit.ipynb");
});

test("whoever leaves the page while a call waits is told so by the title, each time", () => {
  document.title = "audit.ipynb";
  const attention = new Attention();
  ended.push(() => attention.remove());
  const turn = (hidden) => {
    hide(hidden);
    document.dispatchEvent(new window.Event("visibilitychange"));
    return document.title;
  };
  attention.update(head());
  attention.update(head({ state: "waiting", word: "Waiting for you" }));
  assert.equal(turn(true), "(waiting for you) audit.ipynb");
  assert.equal(turn(false), "audit.ipynb");
  assert.equal(turn(true), "(waiting for you) audit.ipynb");
  attention.update(head());
  assert.equal(document.title, "audit.ipynb");
  assert.equal(turn(false), "audit.ipynb");
});

test("the end of a turn is marked if it ran for more than a minute", () => {
  document.title = "audit.ipynb";
  const end = head({ ended: true, state: "completed", word: "Completed" });
  for (const [runs_ms, title] of [
    [59_000, "audit.ipynb"],
    [61_000, "(completed) audit.ipynb"],
  ]) {
    let now = 0;
    const attention = new Attention(() => now);
    hide(true);
    attention.update(head());
    now = runs_ms;
    attention.update(end);
    assert.equal(document.title, title);
    attention.remove();
    assert.equal(document.title, "audit.ipynb");
    hide(false);
  }
});
