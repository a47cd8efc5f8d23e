"""A bare page in Chromium that shows a panel: what a kernel sent goes in, what is pressed out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from playwright.sync_api import Dialog, Page, Route, sync_playwright

from tests.support import CHROMIUM_FLAGS, require
from tests.widgets.hostile_panel import HURT
from tests.widgets.panels import RecordedComm

T = TypeVar("T")
STATIC: Final = Path(__file__).parents[2] / "budget_magic" / "widgets" / "static"
ADDRESS: Final = "http://panel.test/"
HTML: Final = """<!doctype html><html lang="en"><title>panel</title>
<body data-jp-theme-light="THEME" style="margin:0;background:var(--jp-layout-color0)">
<main style="width:WIDTHpx"></main></body></html>"""
BOXES: Final = (
    ".bm-header", ".bm-details", ".bm-verdict", ".bm-notes", ".bm-pop", ".bm-approval",
    ".bm-approval-input", ".bm-transcript", ".bm-steps", ".bm-prompt", ".bm-answer", ".bm-log",
)  # fmt: skip
"""Parts of the panel that may scroll up and down, but never sideways."""
WIDE: Final = """(selector) => {
  const page = document.documentElement;
  const end = document.querySelector(".budget-magic").getBoundingClientRect().right;
  const boxes = [...document.querySelectorAll(selector)].filter((el) =>
    el.checkVisibility() && !["hidden", "clip"].includes(getComputedStyle(el).overflowX));
  const wide = [page, ...boxes].filter((el) => el.scrollWidth > el.clientWidth
    || (el !== page && el.getBoundingClientRect().right > end + 1));
  return wide.flatMap((box) => {
    const { right } = box.getBoundingClientRect();
    const out = [...box.querySelectorAll("*")]
      .filter((el) => el.getBoundingClientRect().right > right + 1);
    const names = new Set(out.map((el) => el.className || el.localName));
    return [`${box.className || box.localName} is too wide for ${[...names].join(", ")}`];
  });
}"""
"""Which of these boxes are wider than their place, and for what."""
UNFOLD: Final = """() => {
  for (const log of document.querySelectorAll(".bm-log")) log.open = true;
  for (const summary of document.querySelectorAll(".bm-step:not([open]) > summary"))
    summary.click();
}"""
OPEN: Final = """async ([esm, state]) => {
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const heard = {};
  window.sent = [];
  window.model = {
    get: (name) => state[name],
    send: (content) => window.sent.push(content),
    on: (name, call) => { heard[name] = call; },
    off: (name) => { delete heard[name]; },
  };
  window.heard = heard;
  window.widget = (await import(url)).default();
  window.close_feed = window.widget.initialize({ model: window.model });
  const el = document.querySelector("main");
  window.close_view = window.widget.render({ model: window.model, el });
  window.tell = (messages) => { for (const one of messages) heard["msg:custom"](one); };
  window.snapshot = (snapshot) => { state.snapshot = snapshot; heard["change:snapshot"](); };
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  window.painted = () => frame().then(frame);
}"""


class PanelPage:
    """The page, for the thread that made it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked_for: list[str] = []
        self.dialogs: list[str] = []
        self.errors: list[str] = []
        self.theme, self.width = "true", 900
        page.route("**/*", self._serve)
        page.on("dialog", self._dialog)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _serve(self, route: Route) -> None:
        if route.request.url == ADDRESS:
            html = HTML.replace("THEME", self.theme).replace("WIDTH", str(self.width))
            route.fulfill(body=html, content_type="text/html")
        else:
            self.asked_for.append(route.request.url)
            route.abort()

    def open(
        self, comm: RecordedComm, *, width: int = 900, dark: bool = False, again: bool = False
    ) -> None:
        """A view of the widget as it began; `again` in the same tab, which may remember."""
        self.asked_for, self.dialogs, self.errors = [], [], []
        self.width, self.theme = width, "false" if dark else "true"
        self.page.goto(ADDRESS)
        if not again:
            self.page.evaluate("() => sessionStorage.clear()")
        self.page.add_style_tag(content=(STATIC / "panel.css").read_text("utf-8"))
        esm = (STATIC / "panel.js").read_text("utf-8")
        self.page.evaluate(OPEN, [esm, {"snapshot": comm.opened["snapshot"]}])
        self.tell([])

    def tell(self, messages: list[dict[str, Any]]) -> None:
        """What the kernel sent, and the frame in which it is painted."""
        self.page.evaluate("async (m) => { window.tell(m); await window.painted(); }", messages)

    def snapshot(self, snapshot: dict[str, Any]) -> None:
        """A snapshot, and the frame in which it is painted."""
        self.page.evaluate("async (s) => { window.snapshot(s); await window.painted(); }", snapshot)

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What the view sent, its hello aside."""
        said: list[dict[str, Any]] = self.page.evaluate("() => window.sent")
        return [content for content in said if content["k"] != "hello"]

    def text(self, selector: str) -> str:
        """What the first such element shows."""
        return self.page.locator(selector).first.inner_text()

    def count(self, selector: str) -> int:
        """How many such elements there are."""
        return self.page.locator(selector).count()

    def box(self, selector: str) -> dict[str, float]:
        """Where the first such element is, in pixels from the top and the left of the window."""
        found: dict[str, float] = self.page.locator(selector).first.evaluate(
            "(el) => el.getBoundingClientRect().toJSON()"
        )
        return found

    def is_within(self, selector: str, outer: str) -> bool:
        """Whether the first such element stands within another, to the pixel."""
        inner, around = self.box(selector), self.box(outer)
        return all(
            (inner[side] - around[side]) * sign >= 0
            for side, sign in (("left", 1), ("top", 1), ("right", -1), ("bottom", -1))
        )

    def is_in_sight(self, selector: str) -> bool:
        """Whether the first such element can be seen and pressed without scrolling."""
        return bool(
            self.page.locator(selector).first.evaluate(
                """(el) => {
                  const { left, right, top, bottom } = el.getBoundingClientRect();
                  const corners = [left + 2, right - 2].flatMap((x) =>
                    [top + 2, bottom - 2].map((y) => document.elementFromPoint(x, y)));
                  return corners.every((hit) => hit !== null && el.contains(hit));
                }"""
            )
        )

    def unfold(self) -> None:
        """Open every step."""
        self.page.evaluate(UNFOLD)
        self.tell([])

    def too_wide(self) -> list[str]:
        """What does not fit into the panel."""
        found: list[str] = self.page.evaluate(WIDE, ", ".join(BOXES))
        return found

    def harm(self) -> list[str]:
        """What is shown that could do something, what ran or was fetched, what is out of place."""
        found: list[str] = self.page.evaluate(HURT)
        return [*found, *self.too_wide(), *self.asked_for, *self.dialogs, *self.errors]

    def violations(self) -> list[str]:
        """What axe-core finds in the panel."""
        self.page.evaluate(Path(require("axe")).read_text("utf-8"))
        found: list[str] = self.page.evaluate(
            """async () => (await axe.run(document.querySelector(".budget-magic"))).violations
               .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`)"""
        )
        return found


InPage = Callable[[Callable[[PanelPage], T]], T]


@contextmanager
def panel_page() -> Iterator[InPage[Any]]:
    """Runs functions on a page of its own thread, beside other users of Playwright."""
    path = require("chromium")
    with ThreadPoolExecutor(1) as thread:

        def start() -> tuple[Any, Any, PanelPage]:
            playwright = sync_playwright().start()
            browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
            return playwright, browser, PanelPage(browser.new_page())

        playwright, browser, page = thread.submit(start).result()
        try:
            yield lambda do: thread.submit(do, page).result()
        finally:
            thread.submit(browser.close).result()
            thread.submit(playwright.stop).result()
