"""One page of a real JupyterLab in which text streams, one way or another, and what it costs.

Bytes are what a subscriber of the kernel's IOPub socket receives, from the first delta on;
everything else is measured in the page: when the end was painted, tasks that held the page for
more than 50 ms, what its main thread worked, and what the page holds after a collection of garbage.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import zmq
from playwright.sync_api import CDPSession, sync_playwright

from tests.bench.streams import deltas, end
from tests.notebook_runs import ROOT
from tests.support import CHROMIUM_FLAGS, require
from tests.ui.lab import Server, Window

TEXTS: Final = {
    "panel": ".bm-block--text .bm-prose",
    "trait": ".bench-trait",
    "output": ".jp-OutputArea-output pre",
}
"""Where each way puts its text; the last such element holds the end."""
PLACES: Final = {"panel": ".bm-steps", "trait": ".bench-trait", "output": ".jp-OutputArea-output"}
"""What is there before the first delta."""
_GUARD_MS: Final = 300_000
_SETTLE_MS: Final = 1_500
_WATCH: Final = """([places, end]) => {
  const bench = { painted: 0, tasks: [] };
  window.bench = bench;
  const ends = () => {
    const last = [...document.querySelectorAll(places)].at(-1);
    const texts = document.createTreeWalker(last ?? document.body, NodeFilter.SHOW_TEXT);
    const text = last && texts.lastChild();
    return text && text.data.slice(-40).includes(end);
  };
  bench.note = ({ startTime, duration }) =>
    bench.tasks.push([performance.timeOrigin + startTime, duration]);
  bench.observer = new MutationObserver(() => {
    if (bench.painted || bench.seen || !ends()) return;
    bench.seen = true;
    requestAnimationFrame(() => setTimeout(() => { bench.painted = Date.now() / 1000; }));
  });
  bench.observer.observe(document.querySelector(".jp-Notebook"),
    { childList: true, characterData: true, subtree: true });
  bench.long = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) bench.note(entry);
  });
  bench.long.observe({ entryTypes: ["longtask"] });
}"""
_LONG_TASKS: Final = """() => {
  const { bench } = window;
  for (const entry of bench.long.takeRecords()) bench.note(entry);
  bench.long.disconnect();
  bench.observer.disconnect();
  return bench.tasks;
}"""
_TEXT: Final = (
    "(places) => [...document.querySelectorAll(places)].map((e) => e.textContent).join('')"
)
_CELLS: Final = ("play = Play(way)", "await play.stream(count)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """One run."""

    way: str
    count: int
    lost: int
    """Characters that are not in the page at the end."""
    painted_ms: float
    """From the last delta to the frame that shows it."""
    long_tasks: tuple[float, ...]
    """Milliseconds of each task over 50 ms."""
    bytes_out: int
    work_s: float
    """Seconds that the page's main thread worked, of its own processor time."""
    page_bytes: int
    """What the whole page holds at the end, after a collection of garbage."""
    page_nodes: int
    """DOM nodes of the page at the end."""

    @property
    def bytes_per_byte(self) -> float:
        """Bytes out of the kernel by bytes of text."""
        return self.bytes_out / (10 * self.count)


class Bench:
    """One JupyterLab page, in which one way after the other is shown."""

    def __init__(self, server: Server, window: Window) -> None:
        self._server, self._window = server, window
        self._part = 0
        self._cdp: CDPSession = window.page.context.new_cdp_session(window.page)
        self._cdp.send("Performance.enable", {"timeDomain": "threadTicks"})

    def open(self, way: str) -> int:
        """Show a way without text. Gives the bytes that this took."""
        self._part = 0
        self._window.evaluate(f"way = {way!r}")
        with _counted(self._connection()) as told:
            self._window.run_to_end(1)
            self._window.page.wait_for_selector(PLACES[way], state="attached")
            self._settle()
        return told.size

    def close(self) -> None:
        """Take the way that is shown away."""
        self._window.evaluate("play.close()")
        self._window.command("notebook:clear-all-cell-outputs")

    def stream(self, way: str, count: int) -> Streamed:
        """So many deltas more."""
        window = self._window
        self._part += 1
        window.evaluate(f"count = {count}")
        before = window.page.evaluate(_TEXT, TEXTS[way])
        window.page.evaluate(_WATCH, [TEXTS[way], end(self._part).strip()])
        worked_s = self._worked_s()
        with _counted(self._connection()) as told:
            window.run(2)
            window.page.wait_for_function(
                "() => window.bench.painted", polling=500, timeout=_GUARD_MS
            )
            window.wait_done(2)
            worked_s = self._worked_s() - worked_s
            self._settle()
        painted: float = window.page.evaluate("() => window.bench.painted")
        tasks: list[tuple[float, float]] = window.page.evaluate(_LONG_TASKS)
        text: str = window.page.evaluate(_TEXT, TEXTS[way])
        told_times = window.evaluate("print([play.began_at, play.ended_at, play.late_s])")
        began_at, ended_at, late_s = json.loads(told_times)
        if late_s > 1:
            _warn(f"{way}: the deltas were {late_s:.1f} s late, so the rate was not kept")
        page_bytes, page_nodes = self._held()
        return Streamed(
            way=way,
            count=count,
            lost=_missing(before + "".join(deltas(count, self._part)), text),
            painted_ms=(painted - ended_at) * 1000,
            long_tasks=tuple(ms for at_ms, ms in tasks if at_ms / 1000 > began_at),
            bytes_out=told.size,
            work_s=worked_s,
            page_bytes=page_bytes,
            page_nodes=page_nodes,
        )

    def _worked_s(self) -> float:
        metrics = self._cdp.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    def _settle(self) -> None:
        self._window.page.wait_for_timeout(_SETTLE_MS)

    def _held(self) -> tuple[int, int]:
        for _ in range(3):
            self._cdp.send("HeapProfiler.collectGarbage")
        usage = self._cdp.send("Runtime.getHeapUsage")
        keys = ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
        nodes = self._cdp.send("Memory.getDOMCounters")["nodes"]
        return int(sum(usage.get(key, 0) for key in keys)), int(nodes)

    def _connection(self) -> dict[str, Any]:
        (kernel,) = self._server.api("/api/kernels")
        place = self._server.notebooks.parent / "runtime" / f"kernel-{kernel['id']}.json"
        connection: dict[str, Any] = json.loads(place.read_text())
        return connection


@dataclass(slots=True)
class _Told:
    size: int = 0


@contextmanager
def _counted(connection: dict[str, Any]) -> Iterator[_Told]:
    """Counts the bytes that the kernel publishes meanwhile."""
    told, done = _Told(), threading.Event()
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.connect(f"tcp://{connection['ip']}:{connection['iopub_port']}")
    socket.subscribe(b"")

    def count() -> None:
        while not done.is_set():
            if socket.poll(100):
                told.size += sum(map(len, socket.recv_multipart()))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield told
    finally:
        done.set()
        thread.join()
        socket.close()


def _missing(told: str, shown: str) -> int:
    """Characters of `told` that `shown` does not hold at their place."""
    if told.strip() == shown.strip():
        return 0
    same = next((n for n, (a, b) in enumerate(zip(told, shown, strict=False)) if a != b), 0)
    return len(told) - (same or min(len(told), len(shown)))


def _warn(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - for the person at the terminal


@contextmanager
def open_bench() -> Iterator[Bench]:
    """A JupyterLab with a notebook whose second cell streams."""
    set_up = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.bench.streams import Play"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=require("chromium"), args=list(CHROMIUM_FLAGS)
        )
        server = Server(Path(home))
        try:
            server.write("bench.ipynb", [set_up, *_CELLS])
            window = Window(browser, server, "bench.ipynb")
            window.run_to_end(0)
            yield Bench(server, window)
        finally:
            server.stop()
            browser.close()
