"""What a person sees of the panel and does with it, in a bare page in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from budget_magic.events import ApprovalAsked, AttemptFailed, Ceilings
from budget_magic.report.highlight import STYLES
from budget_magic.widgets import Offers
from budget_magic.widgets.controls import offers_json
from budget_magic.widgets.panel_sync import PanelSync
from tests.report.payloads import ALL
from tests.report.records import (
    RESUME,
    SETTINGS,
    Story,
    audit,
    audit_until_step_8,
    call,
    port,
    said,
    thought,
)
from tests.report.test_static_html import hostile_turn
from tests.widgets.conftest import Stage
from tests.widgets.hostile_panel import tell_all
from tests.widgets.page import STATIC, InPage, PanelPage, panel_page
from tests.widgets.panels import RecordedComm, Show

EXTRA = {"offers": offers_json(Offers(), 1), "no_events": False}
CODE = """```python
@cache
def same(a: str) -> bool:
    # constant time
    return compare(a, "b") and 3
```

```diff
- a == b
+ same(a, b)
```"""
EDIT = {
    "path": "src/session.py",
    "old_str": "def check():\n    return a == b",
    "new_str": "def check():\n    return same(a, b)",
}


@pytest.fixture(scope="module")
def in_page() -> Iterator[InPage[Any]]:
    """A page for all tests here."""
    with panel_page() as run:
        yield run


def waiting(stage: Stage) -> tuple[Show, RecordedComm]:
    """A turn in which two calls wait for a person."""
    show, comm = stage.open(Story().start().ask())
    calls = [call("a", "edit_file", **EDIT), call("b", "shell", command="pytest -q")]
    show.tell(lambda story: story.reply([thought("Smallest change."), *calls], thinking=9, calls=8))
    for number, one in enumerate(calls):
        asked = ApprovalAsked(
            turn=1, step=1, call_id="ab"[number], name=one["name"], input=one["input"],
            why="It changes a file, so it asks.",
        )  # fmt: skip
        show.add(asked)
    return show, comm


def streaming(stage: Stage, *, near: bool = False) -> tuple[Show, RecordedComm]:
    """The eighth step of the audit, writing; `near` its cost ceiling."""
    ceilings = Ceilings(cost_usd=Decimal("0.46"), total_tokens=500_000, steps=50, elapsed_s=600)
    settings = replace(SETTINGS, ceilings=ceilings, budget=40_000) if near else SETTINGS
    show, comm = stage.open(audit_until_step_8(settings).ask(held_usd=Decimal("0.02")))
    show.begin("thinking")
    show.stream("Three findings hold up.", "thinking")
    show.begin()
    show.stream("**1. Session token** compared with `==`")
    return show, comm


def shown(in_page: InPage[Any], show: Show, comm: RecordedComm, do: Any) -> Any:
    """What `do` gives on a page that was told all."""
    show.panel.close()

    def run(page: PanelPage) -> Any:
        page.open(comm)
        page.tell(comm.messages)
        found = do(page)
        assert page.errors == []
        return found

    return in_page(run)


def test_what_streams_is_shown_as_plain_text_then_rendered(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = streaming(stage)
    comm.wait(lambda: any("m" in m or "d" in m for m in comm.messages))
    words = "**1. Session token** compared with `==`"
    show.tell(lambda story: story.reply([thought("Three findings hold up."), said(words)], text=9))
    show.panel.close()
    ended = next(
        n for n, m in enumerate(comm.messages) if any("blocks" in s for s in m.get("s", []))
    )

    def look(page: PanelPage) -> None:
        page.open(comm)
        page.tell(comm.messages[:ended])
        assert words in page.text(".bm-block--text")
        assert page.count(".bm-caret") == 1
        page.tell(comm.messages[ended:])
        assert page.text(".bm-block--text strong") == "1. Session token"
        assert page.count(".bm-caret") == 0
        assert page.text(".bm-block--thinking .bm-block-body") == "Three findings hold up."

    in_page(look)


def test_a_long_text_is_split_into_chunks_and_nothing_is_lost(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = stage.open(Story().start().ask())
    lines = [f"line {number} of what was said" for number in range(2_000)]
    show.begin()
    for line in lines:
        show.stream(f"{line}\n")

    def look(page: PanelPage) -> None:
        assert page.page.locator(".bm-flow").evaluate("(e) => e.textContent").splitlines() == lines
        assert page.count(".bm-chunk") > 5

    shown(in_page, show, comm, look)


def test_the_list_follows_its_end_unless_the_reader_scrolled_away(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = stage.open(audit_until_step_8().ask())
    show.begin()
    show.stream("a line\n" * 60)
    comm.wait(lambda: any("d" in m for m in comm.messages))
    before = len(comm.messages)
    show.stream("a line\n" * 60)
    show.panel.close()
    rest = "(e) => e.scrollHeight - e.clientHeight - e.scrollTop"

    def look(page: PanelPage) -> None:
        steps = page.page.locator(".bm-steps")
        page.open(comm)
        page.tell(comm.messages[:before])
        assert steps.evaluate(rest) < 24
        steps.evaluate("(e) => { e.scrollTop -= 300; }")
        page.tell([])
        assert page.page.locator(".bm-follow").is_visible()
        page.tell(comm.messages[before:])
        assert steps.evaluate(rest) > 1_000
        page.page.locator(".bm-follow").click()
        page.tell([])
        assert steps.evaluate(rest) < 24
        assert page.page.locator(".bm-follow").is_hidden()

    in_page(look)


def test_what_the_reader_opens_stays_in_sight(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = stage.open(port())

    def look(page: PanelPage) -> None:
        steps = page.page.locator(".bm-steps")
        steps.evaluate("(e) => { e.scrollTop = 0; }")
        page.page.locator("summary").nth(2).click()
        page.tell([])
        assert steps.evaluate("(e) => e.scrollTop") == 0
        assert page.page.locator(".bm-step").nth(2).locator(".bm-block").count() == 0
        assert {"k": "whole", "step": 3} in page.sent

    shown(in_page, show, comm, look)


def test_a_step_whose_parts_are_not_here_asks_for_them(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = stage.open(port())
    comm.say({"k": "whole", "step": 3})
    comm.wait(lambda: any("s" in m for m in comm.messages))

    def look(page: PanelPage) -> None:
        page.page.locator("summary").nth(2).click()
        page.tell([])
        assert page.text(".bm-block--call pre").startswith("edit_file(path=")

    shown(in_page, show, comm, look)


def test_an_approval_acts_once_then_it_is_locked(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = waiting(stage)

    def look(page: PanelPage) -> None:
        assert page.text(".bm-state") == "Waiting for you"
        assert page.count(".bm-approval") == 2
        card = page.page.locator(".bm-approval").first
        assert card.locator(".del").inner_text().split() == ["-", "return", "a", "==", "b"]
        card.locator(".bm-approve").dblclick(force=True)
        assert page.sent == [{"k": "decide", "id": "a", "kind": "once", "reason": ""}]
        assert card.locator(".bm-said").inner_text() == "Approved"
        assert all(one.is_disabled() for one in card.locator("button, input").all())
        other = page.page.locator(".bm-approval").last
        other.locator("input").fill("too slow")
        other.locator(".bm-deny").click()
        assert page.sent[1] == {"k": "decide", "id": "b", "kind": "denied", "reason": "too slow"}

    shown(in_page, show, comm, look)


NASTY = {
    "echo hello \x1b]; echo PWNED; \x07": r"echo hello \x1b]; echo PWNED; \x07",
    "a \x1b_ hidden \x1b\\ b": "a \\x1b_ hidden \\x1b\\ b",
    "a \x9d hidden \x9c \x9b31m \x7f b": r"a \x9d hidden \x9c \x9b31m \x7f b",
    "rm \u202e txt.exe \u2066x\u2069": r"rm \u202e txt.exe \u2066x\u2069",
    "a\u200bb\u200d\ufeffc\u2060": r"a\u200bb\u200d\ufeffc\u2060",
    "a\u2028b\u2029c\x85d\x0be\rf": r"a\u2028b\u2029c\x85d\x0be\x0df",
    "tag \U000e0041\U000e007f vs \ufe0f": r"tag \U000e0041\U000e007f vs \ufe0f",
    "half \ud800 and \udfff": r"half \ud800 and \udfff",
    "wide \xa0 and \u3000": r"wide \xa0 and \u3000",
    "two\n\tlines  kept": "two\n⇥\tlines  kept",
    "ends in spaces  \nhere ": "ends in spaces \\x20\nhere\\x20",
    r"\x1b in letters": r"\\x1b in letters",
    "": "(empty)",
    "true": '"true"',
}


def test_an_approval_shows_the_call_exactly(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = stage.open(Story().start().ask())
    call_input = {f"n{number}": text for number, text in enumerate(NASTY)}
    call_input |= {"name\u202e\n": "x", "deep": {"a": ["\x1b]x\x07\u202e"]}}  # type: ignore[dict-item]
    long = "first " + "x" * 12_388 + " last!"
    inputs = [call_input, {"command": long}, {"old_str": long, "new_str": "short"}]
    calls = [call(id_, "shell", **one) for id_, one in zip("abc", inputs, strict=True)]
    show.tell(lambda story: story.reply(calls, calls=9))
    for asked, one in zip(calls, inputs, strict=True):
        why = "It runs a command, so it asks."
        show.add(
            ApprovalAsked(turn=1, step=1, call_id=asked["id"], name="shell", input=one, why=why)
        )

    def look(page: PanelPage) -> None:
        exact, whole, edit = (page.page.locator(".bm-approval").nth(n) for n in range(3))
        values = exact.locator("dd, pre").evaluate_all("all => all.map((one) => one.textContent)")
        assert set(NASTY.values()) <= set(values)
        assert r'{"a": ["\u001b]x\u0007\u202e"]}' in values
        names = exact.locator("dt").evaluate_all("all => all.map((one) => one.textContent)")
        assert r"name\u202e\x0a" in names
        assert whole.locator(".bm-field").inner_text() == "command (12,400 characters)"
        assert whole.locator("pre").text_content() == long
        box = whole.locator(".bm-approval-input")
        assert box.evaluate("(el) => el.scrollHeight > el.clientHeight")
        ends = """(el) => { el.scrollTop = el.scrollHeight;
            return el.lastChild.getBoundingClientRect().bottom
                <= el.getBoundingClientRect().bottom + 1; }"""
        assert box.evaluate(ends)
        assert edit.locator(".bm-field").inner_text() == "old_str (12,400 characters) to new_str"
        assert edit.locator(".del").text_content() == f"-   {long}"

    shown(in_page, show, comm, look)


def test_the_whole_can_be_done_from_the_keyboard(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = waiting(stage)

    def look(page: PanelPage) -> None:
        reached = []
        for _ in range(40):
            page.page.keyboard.press("Tab")
            reached.append(page.page.evaluate("() => document.activeElement.className"))
            if "bm-approve-task" in reached[-1]:
                break
        page.page.keyboard.press("Enter")
        assert page.sent == [{"k": "decide", "id": "a", "kind": "task", "reason": ""}]
        focus = "() => document.activeElement.closest('.bm-approval') !== null"
        assert page.page.evaluate(focus)
        assert any("bm-stop" in name for name in reached)
        assert any("bm-effort-button" in name for name in reached)

    shown(in_page, show, comm, look)


def test_the_focus_is_never_taken(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = waiting(stage)
    focused = "() => document.activeElement === document.body"
    assert shown(in_page, show, comm, lambda page: page.page.evaluate(focused))


def test_stop_says_that_it_waits_and_what_ends_it_now(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage)

    def look(page: PanelPage) -> None:
        page.page.locator(".bm-stop").click()
        page.tell([])
        assert page.sent == [{"k": "stop"}]
        assert page.text(".bm-stop") == "Stopping"
        assert page.page.locator(".bm-stop").is_disabled()
        assert page.text(".bm-state") == "Stopping"
        page.page.locator(".bm-note").wait_for()
        assert page.text(".bm-note") == "Stop waits; Kernel > Interrupt ends it now."

    shown(in_page, show, comm, look)


def test_the_effort_says_its_price_before_it_is_chosen(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage)

    def look(page: PanelPage) -> None:
        page.page.locator(".bm-effort-button").click()
        assert "38,180 tokens, about +$0.18 once" in page.text(".bm-effort-cost")
        assert page.page.locator(".bm-effort-now").is_disabled()
        page.page.get_by_label("low", exact=True).check(force=True)
        page.page.locator(".bm-effort-next").click()
        assert page.sent == [{"k": "effort", "level": "low", "when": "next"}]
        page.page.locator(".bm-effort .bm-raise-budget").click()
        assert page.sent[1] == {"k": "budget", "from": 64_000, "total": 128_000}
        page.page.keyboard.press("Escape")
        assert page.page.locator(".bm-effort").is_hidden()

    shown(in_page, show, comm, look)


def test_a_ceiling_is_raised_from_ninety_percent_on(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage)
    assert shown(in_page, show, comm, lambda page: page.count(".bm-raise:visible")) == 0
    show, comm = streaming(stage, near=True)

    def look(page: PanelPage) -> None:
        assert page.count(".bm-raise:visible") == 1
        page.page.locator(".bm-raise:visible").click()
        assert page.sent == [{"k": "ceiling", "ceiling": "cost", "from": "5", "to": "7.00"}]
        assert page.page.locator("[data-ceiling=cost]").get_attribute("data-level") == "near"

    shown(in_page, show, comm, look)


def test_a_folded_result_is_shown_whole_on_demand(stage: Stage, in_page: InPage[Any]) -> None:
    story = Story().start().ask().reply([call("a", "read_file", path="x")], calls=9)
    show, comm = stage.open(story.tool("a", "read_file", "\n".join(map(str, range(150)))))
    comm.say({"k": "whole", "id": "a"})
    comm.wait(lambda: any("w" in m for m in comm.messages))
    show.panel.close()

    def look(page: PanelPage) -> None:
        page.open(comm)
        assert page.text(".bm-more") == "show all 150 lines"
        assert page.text(".bm-cut") == "first 6 and last 2 of 150 lines"
        page.page.locator(".bm-more").click()
        assert page.sent == [{"k": "whole", "id": "a"}]
        page.tell(comm.messages)
        assert page.text(".bm-whole").splitlines() == [str(number) for number in range(150)]
        assert page.count(".bm-more") == 0

    in_page(look)


def test_a_call_that_was_cut_is_shown_whole_on_demand(stage: Stage, in_page: InPage[Any]) -> None:
    text = "0123456789" * 900
    story = Story().start().ask().reply([call("a", "write_file", text=text)], calls=9)
    show, comm = stage.open(story)
    comm.say({"k": "whole", "call": "a"})
    comm.wait(lambda: any("w" in m for m in comm.messages))
    show.panel.close()

    def look(page: PanelPage) -> None:
        page.open(comm)
        assert page.text(".bm-cut").startswith("first 1,400 and last 600 of ")
        page.page.locator(".bm-more").click()
        assert page.sent == [{"k": "whole", "call": "a"}]
        page.tell(comm.messages)
        assert page.text(".bm-block--call pre") == f'write_file(text="{text}")'
        assert page.text(".bm-block--call b") == "write_file"
        assert page.count(".bm-more") == 0

    in_page(look)


def test_a_result_looks_like_one_also_where_another_call_stood(
    stage: Stage, in_page: InPage[Any]
) -> None:
    story = Story().start().ask().reply([call("a", "look"), call("b", "look")], calls=9)
    show, comm = stage.open(story)
    comm.say({"k": "whole", "step": 1})
    comm.wait(lambda: bool(comm.messages))
    show.tell(lambda story: story.tool("a", "look", "seen"))

    def look(page: PanelPage) -> None:
        kinds = "(all) => all.map((el) => el.className.replace('bm-block bm-block--', ''))"
        assert page.page.locator(".bm-block").evaluate_all(kinds) == ["call", "result", "call"]

    shown(in_page, show, comm, look)


def test_raising_the_budget_says_its_price_before(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage, near=True)

    def look(page: PanelPage) -> None:
        button = page.page.locator(".bm-left .bm-raise-budget")
        assert button.inner_text() == "raise to 128,000, about +$0.18"
        title = button.get_attribute("title") or ""
        assert title.endswith("38,180 tokens, about +$0.18 once.")

    shown(in_page, show, comm, look)


def test_a_long_run_keeps_two_hundred_steps_on_the_page(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = stage.open(Story().start())
    for number in range(230):
        show.tell(lambda story, number=number: story.ask().reply([said(f"{number}")], text=3))  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    def look(page: PanelPage) -> None:
        assert page.count(".bm-step") == 200
        page.page.locator(".bm-earlier").click()
        page.tell([])
        assert page.count(".bm-step") == 230
        assert page.page.locator(".bm-earlier").is_hidden()

    shown(in_page, show, comm, look)


def test_a_message_that_is_lost_is_made_good_by_one_snapshot(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    for piece in ("one ", "two ", "three "):
        told = len(comm.messages)
        show.stream(piece)
        comm.wait(lambda told=told: any("d" in m for m in comm.messages[told:]))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    comm.say({"k": "resync"})
    comm.wait(lambda: bool(comm.snapshots))
    show.panel.close()
    before = [m for m in comm.messages if m["r"] <= comm.snapshots[0]["r"]]
    pieces = [n for n, m in enumerate(before) if "d" in m]

    def look(page: PanelPage) -> None:
        page.open(comm)
        page.tell([m for n, m in enumerate(before) if n != pieces[1]])
        assert page.sent == [{"k": "resync"}]
        page.snapshot(comm.snapshots[0])
        assert page.page.locator(".bm-flow").evaluate("(e) => e.textContent") == "one two three "

    in_page(look)


def test_dead_buttons_are_disabled_and_said(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage)
    show.panel.say_no_events()

    def look(page: PanelPage) -> None:
        assert page.text(".bm-note").startswith("Buttons do not work while a cell runs")
        assert page.page.locator(".bm-stop").is_disabled()

    shown(in_page, show, comm, look)


def test_a_view_that_is_removed_leaves_nothing_behind(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage)

    def look(page: PanelPage) -> None:
        page.page.evaluate("() => { window.close_view(); window.close_feed(); }")
        assert page.page.evaluate("() => document.querySelector('main').childElementCount") == 0
        assert page.page.evaluate("() => Object.keys(window.heard)") == []

    shown(in_page, show, comm, look)


def test_a_second_view_shows_the_same(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage)

    def look(page: PanelPage) -> None:
        page.page.evaluate(
            "() => { const el = document.createElement('main'); document.body.append(el);"
            " window.widget.render({ model: window.model, el }); }"
        )
        page.tell([])
        texts = page.page.locator(".bm-steps").all_inner_texts()
        assert len(texts) == 2
        assert texts[0] == texts[1]

    shown(in_page, show, comm, look)


def test_two_views_ask_for_the_same_raise_and_show_it_once_it_is_made(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = streaming(stage, near=True)

    def look(page: PanelPage) -> None:
        page.page.evaluate(
            "() => { const el = document.createElement('main'); document.body.append(el);"
            " window.widget.render({ model: window.model, el }); }"
        )
        page.tell([])
        for button in page.page.locator(".bm-raise:visible").all():
            button.click()
        asked = {"k": "ceiling", "ceiling": "cost", "from": "5", "to": "7.00"}
        assert page.sent == [asked, asked]
        for button in page.page.locator(".bm-left .bm-raise-budget").all():
            button.click()
        assert page.sent[2:] == [{"k": "budget", "from": 64_000, "total": 128_000}] * 2
        told = {"r": comm.messages[-1]["r"] + 1 if comm.messages else 10**6, "h": {
            "ceilings": {"cost": {"of": "of $7.00"}},
            "offers": {"budget": 256_000, "budget_from": 128_000, "budget_text": "256,000",
                       "ceilings": {"cost": {"by": "+$3", "from": "7.00", "to": "10.00"}}},
        }}  # fmt: skip
        page.tell([told])
        assert (
            page.page.locator("[data-ceiling=cost] .bm-quiet").all_inner_texts() == ["of $7.00"] * 2
        )
        assert page.page.locator(".bm-raise:visible").all_inner_texts() == ["+$3"] * 2
        page.page.locator(".bm-raise:visible").last.click()
        page.page.locator(".bm-left .bm-raise-budget").last.click()
        assert page.sent[4:] == [
            {"k": "ceiling", "ceiling": "cost", "from": "7.00", "to": "10.00"},
            {"k": "budget", "from": 128_000, "total": 256_000},
        ]

    shown(in_page, show, comm, look)


@pytest.mark.parametrize("width", [900, 420])
@pytest.mark.parametrize("part", range(3))
def test_hostile_texts_run_nothing_fetch_nothing_and_stay_in_place(
    stage: Stage, in_page: InPage[Any], width: int, part: int
) -> None:
    show, comm = stage.open(Story().start())
    payloads = ALL[part::3]
    tell_all(show, payloads)
    show.panel.close()

    def look(page: PanelPage) -> None:
        page.open(comm, width=width)
        page.page.set_viewport_size({"width": width + 40, "height": 1_200})
        for start in range(0, len(comm.messages), 5):
            page.tell(comm.messages[start : start + 5])
        page.page.locator(".bm-all").click()
        page.tell([])
        assert page.count(".bm-approval") == len(payloads)
        assert page.count(".bm-step[data-live] .bm-block--text") == len(payloads)
        assert page.harm() == []

    in_page(look)


def test_a_hostile_ending_runs_nothing_and_stays_in_place(in_page: InPage[Any]) -> None:
    sync = PanelSync()
    views = [hostile_turn(payload) for payload in ALL]
    messages = [sync.beat(view, (), EXTRA) for view in views]
    comm = RecordedComm(data={"state": {"snapshot": PanelSync().snapshot()}})

    def look(page: PanelPage) -> None:
        page.open(comm, width=420)
        for message in messages:
            page.tell([message])
            assert page.harm() == []

    in_page(look)


def test_every_colour_of_code_has_one_for_each_theme() -> None:
    styles = (STATIC / "panel.css").read_text("utf-8")
    for style in STYLES - {"opacity:0.7"}:
        assert f'[style="{style}"] {{' in styles


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [900, 420])
def test_nothing_is_in_the_way_of_a_screen_reader_or_of_weak_eyes(
    stage: Stage, in_page: InPage[Any], width: int, *, dark: bool
) -> None:
    scenes = [streaming(stage), streaming(stage, near=True), waiting(stage)]
    broken = (
        Story()
        .start()
        .ask()
        .add(AttemptFailed(turn=1, step=1, attempt=1, why="reset", unconfirmed_usd=Decimal("0.04")))
    )
    broken.end("failed", "connection", "the connection broke", suggestions=(RESUME,))
    code = Story().start().ask().reply([said(CODE)]).end(text=CODE)
    scenes += [stage.open(story) for story in (audit(), port(), broken, code)]
    for show, _ in scenes:
        show.panel.close()

    def look(page: PanelPage) -> None:
        for _, comm in scenes:
            page.open(comm, width=width, dark=dark)
            page.tell(comm.messages)
            page.page.locator(".bm-toggle button").click()
            if page.page.locator(".bm-effort-button").is_visible():
                page.page.locator(".bm-effort-button").click()
            page.page.locator(".bm-all").click()
            page.tell([])
            assert page.violations() == []

    in_page(look)
