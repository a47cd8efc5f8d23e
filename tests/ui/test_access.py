"""The panel in a real JupyterLab for those who use no mouse, or see little."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.notebook_runs import ROOT
from tests.support import require
from tests.ui.conftest import OpenNotebook
from tests.ui.lab import PANEL_JS, Server, Window
from tests.ui.scenes import LOAD, SET_UP

PANEL = ".budget-magic"
OUTPUT = ".jp-OutputArea-output"
LONG_WAY = (
    SET_UP
    + "first = Reply(thinking='Two notes will do.', text='I save **two** notes.',"
    + " calls=[note('first'), note('second')])\n"
    + "sim, mine = scripted(first, Reply(thinking=LONG, text=LONG * 9), pace=200)"
)
CELL = "%%claude_task audit --client mine -t save_note -b 20k\nSave two notes, then write."
ENDED = f"""import sys
sys.path.insert(0, {str(ROOT)!r})
from IPython.display import display
from tests.report.records import audit
from tests.widgets.panels import Show
show = Show(audit())
show.panel.finish()
display(show.panel.mime_bundle(), raw=True)"""
FOCUSED = """() => {
  const el = document.activeElement;
  const box = el.getBoundingClientRect();
  const { outlineStyle, outlineWidth } = getComputedStyle(el);
  return {
    name: [...el.classList].filter((one) => one !== "bm-button").join(" ") || el.localName,
    text: el.innerText || el.getAttribute("aria-label") || el.value || "",
    inside: el.closest(".budget-magic") !== null,
    ring: outlineStyle !== "none" && parseFloat(outlineWidth) > 0,
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""


def violations(page: Page, place: str) -> list[str]:
    """What axe-core finds at the last such place."""
    page.evaluate(Path(require("axe")).read_text("utf-8"))
    found: list[str] = page.evaluate(
        """async (place) => {
          const { violations } = await axe.run([...document.querySelectorAll(place)].at(-1));
          return violations.map((one) => `${one.id}: ${one.nodes.map((n) => n.html).join(" ")}`);
        }""",
        place,
    )
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(
    theme: str, open_notebook: OpenNotebook, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue("lab" if theme == "light" else "dark_lab")
    window = open_notebook(server, LOAD, LONG_WAY, CELL, ENDED, theme=theme)
    page, panel = window.page, window.panel()
    window.run_to_end(0, 1)
    window.run(2)
    expect(panel.locator(".bm-approval")).to_have_count(1)
    assert violations(page, PANEL) == []
    panel.locator(".bm-approve-task").first.click()
    expect(panel.locator(".bm-step[data-live] .bm-block--thinking")).to_contain_text("The next")
    assert violations(page, PANEL) == []
    for name in ("details", "effort", "budget"):
        panel.locator(f".bm-{name}-button").click()
        window.shot(f"{name}-{theme}")
        assert violations(page, PANEL) == []
    page.keyboard.press("Escape")
    window.open_steps()
    assert violations(page, PANEL) == []
    panel.locator(".bm-stop").click()
    window.wait_done(2)
    page.locator(f"{OUTPUT} details").first.click()
    assert violations(page, OUTPUT) == []
    window.shot(f"stopped-report-{theme}")
    window.run_to_end(3)
    panel.locator(".bm-details-button").click()
    window.open_steps()
    window.shot(f"ended-{theme}")
    assert violations(page, PANEL) == []


def cells(window: Window) -> int:
    """How many cells the notebook has."""
    count: int = window.page.evaluate(f"() => {PANEL_JS.strip()}.content.model.cells.length")
    return count


class Keyboard:
    """Keys of a person who watches where the focus is."""

    def __init__(self, window: Window) -> None:
        self.window, self.page = window, window.page

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def tab_to(self, name: str, *, key: str = "Tab") -> None:
        """Press Tab until the focus is there; it is seen at every stop inside the panel."""
        for _ in range(60):
            self.press(key)
            stop = self.page.evaluate(FOCUSED)
            assert stop["inside"], f"the focus left the panel for {stop} on the way to {name}"
            assert stop["ring"], f"no ring around {stop}"
            assert stop["seen"], f"out of sight: {stop}"
            if name in stop["name"] or name in stop["text"]:
                return
        raise AssertionError(f"Tab does not reach {name}")

    def is_inside(self) -> bool:
        """Whether the panel has the focus."""
        return bool(self.page.evaluate(FOCUSED)["inside"])


def test_a_whole_turn_is_steered_from_the_keyboard(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = open_notebook(lab, LOAD, LONG_WAY, CELL)
    window.run_to_end(0, 1)
    page, panel, keys = window.page, window.panel(), Keyboard(window)
    page.locator(".jp-Notebook .jp-Cell").nth(2).click()
    keys.press("Escape", "Control+Enter")
    expect(panel.locator(".bm-approval")).to_have_count(1)
    keys.press("Tab")
    while not keys.is_inside():
        keys.press("Tab")
    # Letters are commands of the notebook outside of the panel: dd would delete the cell.
    keys.tab_to("Reason")
    page.keyboard.type("dd, xx and a b: one is enough")
    page.keyboard.press("Control+a")
    page.keyboard.press("ArrowDown")
    assert cells(window) == 3
    reason = panel.locator(".bm-approval input").first
    expect(reason).to_have_value("dd, xx and a b: one is enough")
    keys.press("Enter")
    expect(panel.locator(".bm-approval")).to_contain_text("second")
    assert keys.is_inside()
    keys.press("d", "d", "x")
    assert cells(window) == 3
    keys.tab_to("bm-approve")
    keys.press("Enter")
    expect(panel.locator(".bm-approval")).to_have_count(0)
    assert keys.is_inside()
    expect(panel.locator(".bm-step[data-live] .bm-block--thinking")).to_contain_text("The next")
    keys.tab_to("bm-effort-button", key="Shift+Tab")
    keys.press("Enter")
    keys.tab_to("input")
    keys.press("ArrowLeft")
    expect(panel.get_by_label("medium", exact=True)).to_be_checked()
    keys.tab_to("Next cell")
    keys.press("Space")
    expect(panel.locator(".bm-effort-button")).to_contain_text("→ medium")
    expect(panel.locator(".bm-pop--effort")).to_be_hidden()
    assert "bm-effort-button" in page.evaluate(FOCUSED)["name"]
    keys.press("Enter", "Escape")
    assert "bm-effort-button" in page.evaluate(FOCUSED)["name"]
    step = panel.locator(".bm-step").first
    expect(step).not_to_have_attribute("open", "")
    keys.tab_to("summary")
    keys.press("Enter")
    expect(step).to_have_attribute("open", "")
    expect(step).to_contain_text("one is enough")
    window.shot("keyboard")
    keys.tab_to("bm-stop", key="Shift+Tab")
    keys.press("Enter")
    window.wait_done(2)
    said = window.evaluate("print(called, tasks()['audit'].settings.effort)")
    assert said == "['second'] medium"
