"""Hostile texts in a real JupyterLab: live, saved and trusted, saved and untrusted, exported."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.notebook_runs import ROOT
from tests.report.payloads import ALL
from tests.ui.hostile_cells import FORMULA, PARTS, payloads, saved_outputs
from tests.ui.lab import Server, Window
from tests.widgets.hostile_panel import HURT

SET_UP = f"""import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.ui.hostile_cells import *
show_formula()"""
CANARY = "window.canary = () => { window.ran = true; };"
SAVED_HURT = """(box) => {
  const bad = [];
  for (const el of document.querySelectorAll(`${box} *`)) {
    const tag = el.localName;
    if (/^(script|img|iframe|object|embed|form|style|link|math|video|base|meta|svg)$/.test(tag)
      || tag.startsWith("mjx-")) bad.push(tag);
    for (const { name, value } of el.attributes) {
      if (/^on|^id$|^name$|^src|^action|^srcdoc|^formaction/.test(name)) bad.push(`${tag} ${name}`);
      if (name === "href" && !/^(https?|mailto):/i.test(value)) bad.push(`${tag} href=${value}`);
    }
  }
  return [...new Set(bad)];
}"""
WIDE = """(boxes) => [document.documentElement, ...document.querySelectorAll(boxes)]
  .filter((el) => el.scrollWidth > el.clientWidth + 1 && el.clientWidth > 0)
  .map((el) => `${el.className || el.localName}: ${el.scrollWidth} > ${el.clientWidth}`
    + ` ${el.textContent.trim().slice(0, 80)}`)"""
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
OUTPUT = ".jp-RenderedHTMLCommon.jp-OutputArea-output"


@pytest.fixture(scope="module")
def server(
    browser: Browser,  # noqa: ARG001 - without Chromium no server is started
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """JupyterLab that shows all outputs of a cell, in sight or not."""
    home = tmp_path_factory.mktemp("hostile")
    settings = home / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    shown = {"maxNumberOutputs": 10_000, "windowingMode": "none"}
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps(shown))
    server = Server(home)
    yield server
    server.stop()


class Heard:
    """What a page did that nobody asked for."""

    def __init__(self, page: Page, own: str) -> None:
        self.page, self.found = page, list[str]()
        page.add_init_script(CANARY)
        page.on("dialog", self._dismiss)
        page.on("console", lambda said: self._note("canary" in said.text, said.text))
        page.on("pageerror", lambda error: self._note("canary" in str(error), str(error)))
        page.on(
            "request",
            lambda asked: self._note(not asked.url.startswith((own, "data:", "blob:")), asked.url),
        )
        page.context.on("page", lambda opened: self._note(opened is not page, "another page"))

    def _dismiss(self, dialog: Dialog) -> None:
        self.found.append(dialog.message)
        dialog.dismiss()

    def _note(self, is_bad: bool, what: str) -> None:  # noqa: FBT001 - one line, used right here
        if is_bad:
            self.found.append(what)

    def harm(self) -> list[str]:
        """Everything, and whether a script ran."""
        ran = ["a script ran"] if self.page.evaluate("() => window.ran") else []
        return self.found + ran


Load = Callable[..., tuple[Window, Heard]]


@pytest.fixture
def load(browser: Browser, server: Server) -> Iterator[Load]:
    """Opens a notebook, its ears open from the start."""
    opened: list[Window] = []

    def load_it(*cells: str) -> tuple[Window, Heard]:
        name = f"hostile-{uuid.uuid4().hex}.ipynb"
        if cells:
            server.write(name, [SET_UP, *cells])
        else:
            save_outputs(server.notebooks / name, saved_outputs())
        heard: list[Heard] = []
        window = Window(
            browser, server, name, prepare=lambda page: heard.append(Heard(page, server.url))
        )
        opened.append(window)
        return window, heard[0]

    yield load_it
    server.shut_kernels_down()
    for window in opened:
        window.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_the_live_panel_shows_hostile_text_as_text(load: Load, part: int) -> None:
    window, heard = load("show = open_panel()", f"fill_panel(show, {part})")
    window.run_to_end(0, 1)
    expect(window.panel()).to_be_visible()
    window.run_to_end(2)
    count = len(payloads(part))
    expect(window.panel().locator(".bm-queue")).to_have_text(f"1 of {count} waiting")
    expect(window.panel().locator(".bm-step[data-live] .bm-block--text")).to_have_count(count)
    window.open_steps()
    expect(window.panel().locator(".bm-step[open]")).to_have_count(count + 1)
    window.shot(f"hostile-panel-{part}")
    assert window.page.evaluate(HURT) == []
    assert window.page.evaluate(WIDE, ".jp-Notebook, .bm-transcript") == []
    assert heard.harm() == []


def test_a_trusted_saved_form_shows_hostile_text_as_text(load: Load) -> None:
    window, heard = load("show_saved('text/html')")
    window.run_to_end(0, 1)
    expect(window.page.locator(OUTPUT)).to_have_count(len(ALL))
    expect(window.page.locator("mjx-container")).to_have_count(1)
    window.shot("hostile-trusted")
    assert window.page.evaluate(SAVED_HURT, OUTPUT) == []
    assert window.page.evaluate(WIDE, f".jp-Notebook, {OUTPUT}") == []
    assert heard.harm() == []


def test_an_untrusted_saved_form_shows_hostile_text_as_text(load: Load) -> None:
    window, heard = load()
    expect(window.page.locator(OUTPUT)).to_have_count(len(ALL))
    expect(window.page.locator("mjx-container")).to_have_count(1)
    window.shot("hostile-untrusted")
    assert window.page.evaluate(SAVED_HURT, OUTPUT) == []
    assert window.page.evaluate(WIDE, f".jp-Notebook, {OUTPUT}") == []
    assert heard.harm() == []


@pytest.mark.parametrize("mime", ["text/markdown", "text/plain"])
def test_markdown_and_plain_text_show_hostile_text_as_text(load: Load, mime: str) -> None:
    window, heard = load(f"show_saved({mime!r})")
    window.run_to_end(0, 1)
    expect(window.page.locator(".jp-OutputArea-output")).to_have_count(len(ALL) + 1)
    expect(window.page.locator("mjx-container")).to_have_count(1)
    window.shot(f"hostile-{mime.rpartition('/')[2]}")
    assert window.page.evaluate(WIDE, ".jp-Notebook") == []
    assert heard.harm() == []


def test_exported_html_shows_hostile_text_as_text(browser: Browser, tmp_path: Path) -> None:
    fetched: dict[str, list[str]] = {}
    for name, outputs in (("plain", []), ("hostile", [*saved_outputs()])):
        save_outputs(tmp_path / f"{name}.ipynb", outputs)
        exporter = HTMLExporter()  # type: ignore[no-untyped-call]  # untyped library
        html, _ = exporter.from_filename(str(tmp_path / f"{name}.ipynb"))
        (tmp_path / f"{name}.html").write_text(html)
        page = browser.new_page(viewport={"width": 900, "height": 1000})
        heard = Heard(page, "file:")
        page.goto((tmp_path / f"{name}.html").as_uri(), wait_until="domcontentloaded")
        if outputs:
            assert page.locator(OUTPUT).count() == len(ALL)
            assert page.evaluate(SAVED_HURT, OUTPUT) == []
            assert page.evaluate(WIDE, OUTPUT) == []
        fetched[name] = heard.harm()
        page.close()
    # nbconvert's own page asks for MathJax and RequireJS; the outputs ask for nothing more.
    assert sorted(fetched["hostile"]) == sorted(fetched["plain"])


def save_outputs(path: Path, outputs: Iterable[dict[str, Any]]) -> None:
    """A notebook that nobody signed, with these outputs."""
    notebook = nbformat.v4.new_notebook(metadata=KERNEL)  # type: ignore[no-untyped-call]  # untyped library
    cell = nbformat.v4.new_code_cell("pass", execution_count=1)  # type: ignore[no-untyped-call]  # likewise
    for data in (FORMULA, *outputs):
        shown = nbformat.v4.new_output("display_data", data=data)  # type: ignore[no-untyped-call]  # likewise
        cell.outputs.append(shown)
    notebook.cells.append(cell)
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]  # likewise
