"""Every state of the panel as a picture from JupyterLab: light, dark and in a narrow window."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import expect

from tests.ui.conftest import OpenNotebook
from tests.ui.lab import SHOTS, Server, Window
from tests.ui.scenes import LOAD, SET_UP

WIDE, NARROW, HEIGHT = 1280, 620, 1000
"""Widths of the window; the panel is about 110 pixels narrower."""
FORMS: Final = (("light", WIDE), ("dark", WIDE), ("light", NARROW))
THEMES: Final = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
ANSWER: Final = """I read both files. Two problems, the worst first.

# 1. SQL built from text

`shop/orders.py:18` puts the customer's name into the query:

```python
def orders_of(customer):
    query = f"SELECT id, total FROM orders WHERE customer = '{customer}'"
    return db.execute(query).fetchall()   # orders.py:18
```

| no. | severity | where | what an attacker gains |
| --- | --- | --- | --- |
| 1 | high | `shop/orders.py:18` | reads every order and every address |
| 2 | medium | `shop/uploads.py:44` | writes outside the upload folder |

**2. File name taken from the upload.** `shop/uploads.py:44` """
STREAMS: Final = (
    SET_UP + "from budget_magic.simulator import silence\n"
    "def look(path: str) -> str:\n    'Look.'\n    return 'one line\\n' * 40\n"
    f"answer = {ANSWER!r} + LONG\n"
    "def call(path):\n    return Call('look', {'path': path})\n"
    "first = Reply(thinking='I look at both files first.',"
    " calls=[call('shop/orders.py'), call('shop/uploads.py')])\n"
    "def streaming():\n"
    "    return scripted(first, Reply(thinking='Two problems hold up.', text=answer), pace=900,"
    " faults=[silence(on=1, after_events=200)])[1]\n"
    "mine = streaming()"
)
LINE: Final = "%%claude_task audit --client mine -t look --approve all --max-steps 12"
CELL: Final = f"{LINE}\nAudit this shop."
ASKS: Final = "%%claude_task notes --client second -t save_note\nSave two notes."
ASKS_SET_UP: Final = (
    "two = [note('first'), note('second \\x1b]0;\\u202e')]\n"
    "asking = Reply(thinking='Two notes will do.', text='I save **two** notes.', calls=two)\n"
    "_, second = scripted(asking, Reply(text='Both are saved.'))"
)
NEAR: Final = (
    "%%claude_task near --client third -t save_note --approve all --max-steps 4\nSave four."
)
NEAR_SET_UP: Final = (
    "_, third = scripted(*[Reply(text='One more.', calls=[note(str(n))]) for n in range(4)],"
    " Reply(text='All saved.'), faults=[until_raised('near', 4)])"
)
FIRST: Final = "%%claude_task first --client simulator -t none\nHello."
HALTS: Final = "%%claude_task halted --client fourth -t look --approve all --max-steps 1\nLook."


def shots(window: Window, name: str, place: str = ".budget-magic") -> None:
    """Pictures of a state in all forms."""
    SHOTS.mkdir(exist_ok=True)
    page = window.page
    for theme, width in FORMS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            THEMES[theme],
        )
        light = str(theme == "light").lower()
        page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
        shown = page.locator(place).last
        expect(shown).to_be_visible()
        assert shown.evaluate("(e) => e.scrollWidth - e.clientWidth") <= 0
        form = theme if width == WIDE else "narrow"
        shown.screenshot(path=SHOTS / f"state-{name}-{form}.png")
    page.set_viewport_size({"width": WIDE, "height": HEIGHT})


def test_the_states_of_a_turn_that_runs_and_is_stopped(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = open_notebook(
        lab, LOAD, "%%claude_task first --client simulator -t none\nHello.", STREAMS, CELL
    )
    page, panel = window.page, window.panel()
    window.run_to_end(0)
    window.run(1)
    expect(panel.locator(".bm-state")).to_have_text("Starting")
    window.shot_panel("state-starting-light")
    window.wait_done(1)
    window.run_to_end(2)
    window.run(3)
    expect(panel.locator(".bm-prose table")).to_be_visible()
    expect(panel.locator(".bm-prose > .bm-flow")).to_contain_text("shop/uploads.py:44")
    shots(window, "streaming")
    for name in ("details", "effort", "budget"):
        panel.locator(f".bm-{name}-button").click()
        shots(window, name)
        panel.locator(f".bm-{name}-button").click()
    panel.locator(".bm-stop").click()
    window.wait_done(3)
    expect(page.locator(".jp-OutputArea").last).to_contain_text("cut off here")
    shots(window, "interrupted", ".jp-RenderedHTMLCommon.jp-OutputArea-output")


def test_the_states_of_turns_that_wait_end_and_lose_their_kernel(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    set_up = f"{STREAMS}\n{ASKS_SET_UP}\n{NEAR_SET_UP}\n_, fourth = scripted(first)"
    window = open_notebook(lab, LOAD, set_up, ASKS, NEAR, HALTS, CELL)
    panel = window.panel()
    window.run_to_end(0, 1)
    window.run(2)
    expect(panel.locator(".bm-queue")).to_have_text("1 of 2 waiting")
    shots(window, "approval")
    card = panel.locator(".bm-approval")
    card.focus()
    window.page.keyboard.press("y")
    expect(card).to_contain_text("\\x1b")
    shots(window, "approval-codes")
    card.locator(".bm-deny").click()
    window.wait_done(2)
    shots(window, "completed", ".jp-RenderedHTMLCommon.jp-OutputArea-output")
    window.run(3)
    expect(panel.locator(".bm-note--near")).to_be_visible()
    shots(window, "near")
    panel.locator(".bm-raise").click()
    window.wait_done(3)
    window.run_to_end(4)
    shots(window, "halted", ".jp-RenderedHTMLCommon.jp-OutputArea-output")
    window.run(5)
    expect(panel.locator(".bm-prose > .bm-flow")).to_contain_text("shop/uploads.py:44")
    window.kill_kernel()
    expect(panel.locator(".bm-state")).to_have_text("No kernel")
    window.page.get_by_role("button", name="Ok", exact=True).click()
    shots(window, "gone")
