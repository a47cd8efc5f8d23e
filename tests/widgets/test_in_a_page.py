"""What a person sees of the panel and does with it, in a bare page in Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    AttemptFailed,
    Ceilings,
    NoticePosted,
)
from budget_magic.report.highlight import COLOURS
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
from tests.widgets.hostile_panel import asked, tell_all
from tests.widgets.page import STATIC, InPage, PanelPage, panel_page
from tests.widgets.panels import Joined, RecordedComm, Show

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
MINUS = "\u2212"
HEBREW = "שלום לכולם"
WIDE_ANSWER = "\n\n".join([
    f"{HEBREW} and `{'long_name_' * 40}`",
    "| " + " | ".join(f"column {n}" for n in range(30)) + " |\n"
    + "|---" * 30 + "|\n"
    + "| " + " | ".join("a cell of some words" for _ in range(30)) + " |",
    f"```python\nx = '{'y' * 2_000}'\n```",
    "word" * 500,
    "The end, which is still open",
])  # fmt: skip
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

    in_page(look)


def test_a_finished_block_is_rendered_while_the_next_one_streams(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream("The **first** one.\n\nThe **sec")
    comm.wait(lambda: any("m" in m for m in comm.messages))

    def look(page: PanelPage) -> None:
        assert page.text(".bm-block--text strong") == "first"
        assert page.text(".bm-flow").strip() == "The **sec"
        assert page.count(".bm-block--text .bm-caret") == 1

    shown(in_page, show, comm, look)


def test_text_that_streams_keeps_its_lines(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream("one\n  two\nthree")
    assert shown(in_page, show, comm, lambda page: page.text(".bm-flow")) == "one\n  two\nthree"


def test_right_to_left_text_runs_that_way_while_it_streams(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream(HEBREW)
    direction = "(el) => getComputedStyle(el).direction"
    found = shown(in_page, show, comm, lambda p: p.page.locator(".bm-flow").evaluate(direction))
    assert found == "rtl"


def test_thinking_is_folded_once_it_is_over(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin("thinking")
    show.stream("Three findings hold up.", "thinking")
    comm.wait(lambda: any("d" in m for m in comm.messages))
    thinking = len(comm.messages)
    show.begin()
    show.stream("Three findings.")
    content = [thought("Three findings hold up."), said("Three findings.")]
    show.tell(lambda story: story.reply(content, thinking=1_110, text=9))
    show.panel.close()

    def look(page: PanelPage) -> None:
        page.open(comm)
        page.tell(comm.messages[:thinking])
        assert page.text(".bm-block--thinking .bm-flow") == "Three findings hold up."
        page.tell(comm.messages[thinking:])
        assert page.text(".bm-thought > summary") == "thought, 1,110 tokens"
        assert page.page.locator(".bm-thought-text").is_hidden()
        page.page.locator(".bm-thought > summary").click()
        assert page.text(".bm-thought-text") == "Three findings hold up."

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
        steps = page.page.locator(".bm-transcript")
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


def porting(stage: Stage) -> tuple[Show, RecordedComm]:
    """The design's port of forty-two steps, before its last request ends."""
    story = port()
    story.facts.pop()
    return stage.open(story.ask())


def test_what_the_reader_opens_stays_in_sight(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = porting(stage)

    def look(page: PanelPage) -> None:
        steps = page.page.locator(".bm-transcript")
        steps.evaluate("(e) => { e.scrollTop = 0; }")
        page.page.locator(".bm-step > summary").nth(2).click()
        page.tell([])
        assert steps.evaluate("(e) => e.scrollTop") == 0
        assert page.page.locator(".bm-step").nth(2).locator(".bm-block").count() == 0
        assert {"k": "whole", "step": 3} in page.sent

    shown(in_page, show, comm, look)


def test_a_step_whose_parts_are_not_here_asks_for_them(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = porting(stage)
    comm.say({"k": "whole", "step": 3})
    comm.wait(lambda: any("s" in m for m in comm.messages))

    def look(page: PanelPage) -> None:
        page.page.locator(".bm-step > summary").nth(2).click()
        page.tell([])
        assert page.text(".bm-block--call pre").startswith("edit_file(path=")

    shown(in_page, show, comm, look)


def test_at_the_end_the_answer_stands_alone_above_the_folded_transcript(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = stage.open(audit())

    def look(page: PanelPage) -> None:
        assert page.text(".bm-state") == "Completed"
        assert page.text(".bm-now") == "8 steps, 1:35"
        assert page.text(".bm-answer strong") == "Session token compared with =="
        assert page.page.locator(".bm-box, .bm-resize, .bm-stop").evaluate_all(
            "(all) => all.every((el) => el.hidden)"
        )
        assert page.text(".bm-log > summary") == "Transcript: 8 steps, 10 tool calls"
        assert page.page.locator(".bm-steps").is_hidden()
        page.page.locator(".bm-log > summary").click()
        assert page.page.locator(".bm-step").count() == 8
        assert page.page.locator(".bm-steps").is_visible()

    shown(in_page, show, comm, look)


def test_an_approval_acts_once_then_it_is_locked(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = waiting(stage)
    comm.wait(lambda: len(Joined(comm).head["approvals"]) == 2)
    asked = len(comm.messages)
    show.add(
        ApprovalGiven(turn=1, step=1, call_id="a", name="edit_file", decision="once", by="person")
    )
    show.panel.close()

    def look(page: PanelPage) -> None:
        page.open(comm)
        page.tell(comm.messages[:asked])
        assert page.text(".bm-state") == "Waiting for you"
        assert page.text(".bm-now") == "step 1, clock paused"
        assert page.count(".bm-approval") == 1
        assert page.text(".bm-queue") == "1 of 2 waiting"
        assert page.text(".bm-approval .del").split() == [MINUS, "return", "a", "==", "b"]
        page.page.locator(".bm-approve").dblclick(force=True)
        assert page.sent == [{"k": "decide", "id": "a", "kind": "once", "reason": ""}]
        assert page.text(".bm-queue") == "approved"
        card = page.page.locator(".bm-approval")
        assert all(one.is_disabled() for one in card.locator("button, input").all())
        page.tell(comm.messages[asked:])
        assert page.text(".bm-approval-title code") == "shell"
        assert page.text(".bm-queue") == ""
        card.locator("input").fill("too slow")
        card.locator(".bm-deny").click()
        assert page.sent[1] == {"k": "decide", "id": "b", "kind": "denied", "reason": "too slow"}

    in_page(look)


LONG = "first " + "x" * 12_388 + " last!"
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


def asking(stage: Stage, **call_input: Any) -> tuple[Show, RecordedComm]:
    """A turn in which one call waits for a person."""
    show, comm = stage.open(Story().start().ask())
    one = call("a", "shell", **call_input)
    show.tell(lambda story: story.reply([one], calls=9))
    why = "It runs a command, so it asks."
    show.add(ApprovalAsked(turn=1, step=1, call_id="a", name="shell", input=call_input, why=why))
    return show, comm


def test_an_approval_shows_the_call_exactly(stage: Stage, in_page: InPage[Any]) -> None:
    values: dict[str, Any] = {f"n{number}": text for number, text in enumerate(NASTY)}
    values |= {"name\u202e\n": "x", "deep": {"a": ["\x1b]x\x07\u202e"]}}
    show, comm = asking(stage, **values)

    def look(page: PanelPage) -> None:
        card = page.page.locator(".bm-approval")
        said = card.locator("dd, pre").evaluate_all("all => all.map((one) => one.textContent)")
        assert set(NASTY.values()) <= set(said)
        assert r'{"a": ["\u001b]x\u0007\u202e"]}' in said
        names = card.locator("dt").evaluate_all("all => all.map((one) => one.textContent)")
        assert r"name\u202e\x0a" in names

    shown(in_page, show, comm, look)


def test_an_approval_shows_a_long_text_to_its_end(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = asking(stage, command=LONG)

    def look(page: PanelPage) -> None:
        assert page.text(".bm-approval .bm-field") == "command (12,400 characters)"
        assert page.page.locator(".bm-approval pre").text_content() == LONG
        box = page.page.locator(".bm-approval-input")
        assert box.evaluate("(el) => el.scrollHeight > el.clientHeight")
        ends = """(el) => { el.scrollTop = el.scrollHeight;
            return el.lastChild.getBoundingClientRect().bottom
                <= el.getBoundingClientRect().bottom + 1; }"""
        assert box.evaluate(ends)

    shown(in_page, show, comm, look)


def test_an_approval_shows_an_edit_as_lines(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = asking(stage, old_str=f"same\n{LONG}", new_str="same\nshort")

    def look(page: PanelPage) -> None:
        assert page.text(".bm-field") == "old_str (12,405 characters) to new_str"
        lines = page.page.locator(".bm-diff span").evaluate_all(
            "all => all.map((one) => [one.className, one.textContent])"
        )
        assert lines == [["same", " same"], ["del", f"{MINUS}{LONG}"], ["ins", "+short"]]

    shown(in_page, show, comm, look)


def test_invisible_characters_are_counted_and_stand_out_as_codes(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = asking(stage, command="echo \x1b]0;x\x1b", note=r"\x1b in letters", who="a\u202eb")

    def look(page: PanelPage) -> None:
        codes = page.page.locator(".bm-escape").all_inner_texts()
        assert codes == [r"\x1b", r"\x1b", r"\u202e"]
        assert page.text(".bm-approval .bm-words") == (
            r"3 invisible characters are shown as codes: \x1b, \u202e."
        )

    shown(in_page, show, comm, look)


@pytest.mark.parametrize("width", [1160, 500])
def test_an_approval_needs_no_scrolling(stage: Stage, in_page: InPage[Any], width: int) -> None:
    lines = "\n".join(f"line {number} of what is written" for number in range(200))
    show, comm = asking(stage, path="src/report.py", text=lines, command=LONG)
    show.add(NoticePosted(turn=1, text="9,000 of 64,000 left; Claude may cut this short. " * 3))
    show.panel.close()

    def look(page: PanelPage) -> None:
        page.page.set_viewport_size({"width": width + 40, "height": 700})
        for height in ("", "160px"):
            page.open(comm, width=width)
            page.tell(comm.messages)
            if height:
                page.page.locator(".bm-resize").focus()
                for _ in range(15):
                    page.page.keyboard.press("ArrowUp")
                assert page.box(".bm-box")["height"] == 160
            else:
                assert page.box(".bm-resize")["bottom"] <= 700
                assert page.is_within(".bm-approval", ".bm-box")
                assert page.is_in_sight(".bm-approval-input dd")
                for button in (".bm-approve", ".bm-approve-task", ".bm-deny"):
                    assert page.is_in_sight(button)
            assert page.box(".bm-approval")["bottom"] <= page.box(".bm-box")["bottom"] <= 700

    in_page(look)


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


def test_y_and_n_decide_only_while_the_card_has_the_focus(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = waiting(stage)

    def look(page: PanelPage) -> None:
        keyboard = page.page.keyboard
        page.page.locator(".bm-transcript").focus()
        keyboard.press("y")
        page.page.locator(".bm-approval input").focus()
        keyboard.type("any way")
        page.page.locator(".bm-approval").focus()
        keyboard.press("Control+y")
        assert page.sent == []
        keyboard.press("n")
        keyboard.press("y")
        assert page.sent == [{"k": "decide", "id": "a", "kind": "denied", "reason": "any way"}]

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
        page.page.locator(".bm-note:visible").wait_for()
        assert page.text(".bm-note:visible") == "Stop waits; Kernel > Interrupt ends it now."

    shown(in_page, show, comm, look)


def test_the_effort_says_its_price_before_it_is_chosen(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage)

    def look(page: PanelPage) -> None:
        opener = page.page.locator(".bm-effort-button")
        now, next_cell = page.page.locator(".bm-pop--effort .bm-choice").all()
        assert opener.inner_text() == "Effort high"
        opener.click()
        assert now.is_disabled()
        assert next_cell.is_disabled()
        page.page.get_by_label("low", exact=True).check(force=True)
        assert now.inner_text().splitlines() == [
            "From step 9", "+$0.18 once",
            "The 38.2k tokens in the cache are written again: effort is part of what is cached.",
        ]  # fmt: skip
        assert next_cell.inner_text().splitlines()[:2] == ["Next cell", "$0.00"]
        assert page.sent == []
        next_cell.click()
        assert page.sent == [{"k": "effort", "level": "low", "when": "next"}]
        assert page.page.locator(".bm-pop--effort").is_hidden()

    shown(in_page, show, comm, look)


def test_the_budget_says_what_it_leaves_and_its_price(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage)

    def look(page: PanelPage) -> None:
        pop = page.page.locator(".bm-pop--budget")
        now, next_cell = pop.locator(".bm-choice").all()
        assert page.text(".bm-budget-button") == "Budget 64k"
        page.page.locator(".bm-budget-button").click()
        assert pop.locator("label:has([type=radio])").all_inner_texts() == [
            "64k\nin use", "96k", "128k", "192k", "none",
        ]  # fmt: skip
        assert now.is_disabled()
        page.page.get_by_label("128k", exact=True).check(force=True)
        assert "128k means about 9" in page.text(".bm-pop--budget [aria-live]")
        assert "tokens left, instead of 3" in page.text(".bm-pop--budget [aria-live]")
        assert now.inner_text().splitlines()[:2] == ["From step 9", "+$0.18 once"]
        now.click()
        assert page.sent == [{"k": "budget", "from": 64_000, "to": "128k", "when": "now"}]
        page.page.locator(".bm-budget-button").click()
        pop.locator(".bm-other input").fill("1.5 lots")
        assert page.text(".bm-pop--budget [aria-live]") == (
            "Write a number of tokens from 20k on, such as 100k or 1.5M."
        )
        assert now.is_disabled()
        assert next_cell.is_disabled()
        pop.locator(".bm-other input").fill("1.5M")
        next_cell.click()
        assert page.sent[1] == {"k": "budget", "from": 64_000, "to": "1.5M", "when": "next"}

    shown(in_page, show, comm, look)


def test_escape_closes_what_is_open_and_gives_the_focus_back(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = streaming(stage)

    def look(page: PanelPage) -> None:
        for name in ("effort", "budget"):
            page.page.locator(f".bm-{name}-button").click()
            assert page.count(".bm-pop:visible") == 1
            page.page.locator(f".bm-pop--{name} input").first.focus()
            page.page.keyboard.press("Escape")
            assert page.count(".bm-pop:visible") == 0
            focused = page.page.evaluate("() => document.activeElement.className")
            assert f"bm-{name}-button" in focused
        assert page.sent == []

    shown(in_page, show, comm, look)


@pytest.mark.parametrize("width", [1160, 700, 500, 420])
def test_what_opens_stays_inside_the_panel(stage: Stage, in_page: InPage[Any], width: int) -> None:
    show, comm = streaming(stage, near=True)
    show.panel.close()

    def look(page: PanelPage) -> None:
        page.page.set_viewport_size({"width": width + 40, "height": 1_000})
        page.open(comm, width=width)
        page.tell(comm.messages)
        for keys in ([], ["ArrowUp"] * 20):
            page.page.locator(".bm-resize").focus()
            for key in keys:
                page.page.keyboard.press(key)
            for name in ("effort", "budget"):
                page.page.locator(f".bm-{name}-button").click()
                assert page.is_within(f".bm-pop--{name}", ".budget-magic")
                last = page.page.locator(f".bm-pop--{name} .bm-choice").last
                last.scroll_into_view_if_needed()
                assert page.too_wide() == []
                below = page.box(f".bm-{name}-button")["bottom"]
                assert page.box(f".bm-pop--{name}")["top"] >= below
            page.page.keyboard.press("Escape")

    in_page(look)


def test_a_ceiling_is_raised_from_ninety_percent_on(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage)
    amber = ".bm-figures [data-level]"
    assert shown(in_page, show, comm, lambda p: p.count(f".bm-note--near, {amber}")) == 0
    show, comm = streaming(stage, near=True)

    def look(page: PanelPage) -> None:
        assert page.page.locator(amber).evaluate_all("all => all.map((e) => e.dataset.kind)") == [
            "cost"
        ]
        assert page.text(".bm-note--near p").startswith("$0.44 of $0.46 is spent. $0.02 is left; ")
        button = page.page.locator(".bm-raise:visible")
        assert button.all_inner_texts() == ["+$2, ceiling $7.00"]
        button.click()
        assert page.sent == [{"k": "ceiling", "ceiling": "cost", "from": "5", "to": "7.00"}]
        assert button.is_disabled()

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
        assert page.text(".bm-cut-note") == "first 6 and last 2 of 150 lines"
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
        assert page.text(".bm-cut-note").startswith("first 1,400 and last 600 of ")
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
        assert page.text(".bm-note:visible").startswith("Buttons do not work during this cell")
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
        choose_budget(page)
        chosen = {"k": "budget", "from": 64_000, "to": "128k", "when": "now"}
        assert page.sent[2:] == [chosen, chosen]
        raised = {"by": "+$3", "from": "7.00", "to": "10.00", "text": "$10.00"}
        told = {"r": comm.messages[-1]["r"] + 1 if comm.messages else 10**6, "h": {
            "ceilings": {"cost": {"of": "of $7.00"}},
            "offers": {"budget": 128_000, "budgets": [192_000, 256_000, 384_000],
                       "ceilings": {"cost": raised}},
        }}  # fmt: skip
        page.tell([told])
        figures = page.page.locator(".bm-figures [data-kind=cost] .bm-ceiling-value")
        assert figures.all_inner_texts() == ["$0.44 of $7.00"] * 2
        raises = page.page.locator(".bm-raise:visible")
        assert raises.all_inner_texts() == ["+$3, ceiling $10.00"] * 2
        raises.last.click()
        asked = {"k": "ceiling", "ceiling": "cost", "from": "7.00", "to": "10.00"}
        assert page.sent[4:] == [asked]
        choose_budget(page)
        chosen = {"k": "budget", "from": 128_000, "to": "256k", "when": "now"}
        assert page.sent[5:] == [chosen, chosen]

    shown(in_page, show, comm, look)


def choose_budget(page: PanelPage) -> None:
    """The second larger budget, from the next step on, in every view."""
    for view in page.page.locator(".budget-magic").all():
        view.locator(".bm-budget-button").click()
        view.locator(".bm-pop--budget [type=radio]").nth(2).check(force=True)
        view.locator(".bm-pop--budget .bm-choice").first.click()


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
        page.unfold()
        assert page.text(".bm-queue") == f"1 of {len(payloads)} waiting"
        assert page.count(".bm-step[data-live] .bm-block--text") == len(payloads)
        assert page.harm() == []

    in_page(look)


@pytest.mark.parametrize("width", [900, 420])
def test_a_hostile_call_that_waits_runs_nothing_and_stays_in_place(
    in_page: InPage[Any], width: int
) -> None:
    sync = PanelSync()
    stories = [Story().start().ask().add(asked(payload, payload[:20], 1)) for payload in ALL]
    messages = [sync.beat(story.view(), (), EXTRA) for story in stories]
    comm = RecordedComm(data={"state": {"snapshot": PanelSync().snapshot()}})

    def look(page: PanelPage) -> None:
        page.open(comm, width=width)
        page.page.set_viewport_size({"width": width + 40, "height": 1_200})
        for message in messages:
            page.tell([message])
            assert page.count(".bm-approval") == 1
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
            page.unfold()
            assert page.harm() == []

    in_page(look)


def test_every_colour_of_code_has_one_for_each_theme() -> None:
    styles = (STATIC / "panel.css").read_text("utf-8")
    for name in COLOURS:
        assert re.search(rf"\.bm-code \.{name}\{{color:light-dark\(#\w+,\s?#\w+\)", styles)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1160, 480])
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
    scenes.append(asking(stage, command="echo \x1b]0;x"))
    for show, _ in scenes:
        show.panel.close()

    def look(page: PanelPage) -> None:
        for _, comm in scenes:
            page.open(comm, width=width, dark=dark)
            page.tell(comm.messages)
            page.page.locator(".bm-details-button").click()
            page.unfold()
            assert page.violations() == []
            for name in ("effort", "budget"):
                if page.page.locator(f".bm-{name}-button").is_visible():
                    page.page.locator(f".bm-{name}-button").click()
                    page.page.locator(f".bm-pop--{name} [type=radio]").last.check(force=True)
                    assert page.violations() == []

    in_page(look)


def busy(stage: Stage) -> RecordedComm:
    """Thirty steps with text, notices, approvals that come and go, and a ceiling that gets near."""
    ceilings = Ceilings(cost_usd=5, total_tokens=500_000, steps=33, elapsed_s=600)
    settings = replace(SETTINGS, ceilings=ceilings, simulated="no API key found")
    show, comm = stage.open(Story(settings=settings).start())
    for step in range(1, 31):
        show.now_s += 1
        show.tell(lambda story: story.ask(held_usd=Decimal("0.10")))
        comm.wait(lambda step=step: Joined(comm).head["step"] == step)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        show.begin()
        show.stream(f"Step {step} looks.\n\n- at one file\n- and then at another one")
        asked = call(f"c{step}", "edit_file", **EDIT)
        show.tell(lambda story, asked=asked: story.reply([asked], calls=90, text=30, results=700))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        if step % 3 == 0:
            fact = ApprovalAsked(
                turn=1, step=step, call_id=asked["id"], name="edit_file", input=EDIT,
                why="It changes a file, so it asks.",
            )  # fmt: skip
            show.add(fact)
            comm.wait(lambda: bool(Joined(comm).head["approvals"]))
            given = ApprovalGiven(
                turn=1, step=step, call_id=asked["id"], name="edit_file", decision="once",
                by="person",
            )  # fmt: skip
            show.add(given)
            comm.wait(lambda: not Joined(comm).head["approvals"])
        show.tell(lambda story, step=step: story.tool(f"c{step}", "edit_file", "done"))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        if step % 5 == 0:
            show.add(NoticePosted(turn=1, text=f"Notice {step}: {'something to know. ' * step}"))
        comm.wait(lambda step=step: Joined(comm).steps[step]["row"]["state"] == "done")  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    show.panel.close()
    return comm


@pytest.mark.parametrize("width", [1160, 500])
def test_the_height_stays_the_same_while_the_turn_runs(
    stage: Stage, in_page: InPage[Any], width: int
) -> None:
    comm = busy(stage)

    def look(page: PanelPage) -> None:
        page.page.set_viewport_size({"width": width + 40, "height": 900})
        page.open(comm, width=width)
        heights, states = {page.box(".budget-magic")["height"]}, set()
        for message in comm.messages:
            page.tell([message])
            heights.add(page.box(".budget-magic")["height"])
            states.add(page.text(".bm-state"))
        assert len(heights) == 1
        assert states >= {"Running simulated", "Waiting for you simulated"}
        assert page.count(".bm-step") == 30
        assert page.count(".bm-note--near") == 1

    assert len(comm.messages) > 60
    in_page(look)


def test_the_height_is_dragged_within_bounds_and_kept_for_the_task(
    stage: Stage, in_page: InPage[Any]
) -> None:
    show, comm = streaming(stage)
    show.panel.close()
    first = comm.opened["snapshot"]
    other = {**first, "head": {**first["head"], "task": "port"}}
    other_comm = RecordedComm(data={"state": {"snapshot": other}})

    def look(page: PanelPage) -> None:
        def height() -> float:
            return page.box(".bm-box")["height"]

        def drag(by: int) -> None:
            grip = page.box(".bm-resize")
            x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
            page.page.mouse.move(x, y)
            page.page.mouse.down()
            for part in (0.5, 1.0):
                page.page.mouse.move(x, y + by * part)
            page.page.mouse.up()

        page.page.set_viewport_size({"width": 1_200, "height": 1_300})
        page.open(comm, width=1160)
        page.tell(comm.messages)
        grip = page.page.locator(".bm-resize")
        assert (height(), grip.get_attribute("aria-valuenow")) == (360, "360")
        drag(+140)
        assert (height(), grip.get_attribute("aria-valuenow")) == (500, "500")
        page.page.mouse.move(10, 10)
        assert height() == 500
        drag(-490)
        assert height() == 160
        drag(+1_000)
        assert height() == 900
        grip.focus()
        page.page.keyboard.press("ArrowDown")
        assert height() == 900
        page.page.keyboard.press("ArrowUp")
        page.page.keyboard.press("ArrowUp")
        assert (height(), grip.get_attribute("aria-valuenow")) == (860, "860")
        page.open(comm, width=1160, again=True)
        assert height() == 860
        page.open(other_comm, width=1160, again=True)
        assert height() == 360

    in_page(look)


def test_details_stay_open_for_the_task(stage: Stage, in_page: InPage[Any]) -> None:
    show, comm = streaming(stage)
    show.panel.close()

    def look(page: PanelPage) -> None:
        page.open(comm)
        assert page.page.locator(".bm-details").is_hidden()
        page.page.locator(".bm-details-button").click()
        page.open(comm, again=True)
        assert page.page.locator(".bm-details").is_visible()
        names = page.page.locator(".bm-details h3").all_inner_texts()
        assert names == ["Where the budget went", "Ceilings", "Two meters"]
        assert page.text(".bm-details [data-ceiling=cost] .bm-quiet") == "$0.02"
        page.page.locator(".bm-details-button").click()
        page.open(comm, again=True)
        assert page.page.locator(".bm-details").is_hidden()

    in_page(look)


@pytest.mark.parametrize("ended", [False, True], ids=["running", "ended"])
@pytest.mark.parametrize("width", [1160, 500, 420])
def test_nothing_is_wider_than_the_panel(
    stage: Stage, in_page: InPage[Any], width: int, *, ended: bool
) -> None:
    show, comm = stage.open(Story().start())
    for step in range(1, 61):
        asked = call(f"c{step}", "read_file", path="/".join(["a_folder"] * step))
        show.tell(lambda story: story.ask())
        show.tell(lambda story, asked=asked: story.reply([asked], thinking=40, calls=90))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        show.tell(lambda story, step=step: story.tool(f"c{step}", "read_file", "y" * 70 * step))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    show.tell(lambda story: story.ask())
    show.begin()
    show.stream(WIDE_ANSWER)
    if ended:
        show.tell(lambda story: story.reply([said(WIDE_ANSWER)], text=900).end(text=WIDE_ANSWER))
    show.panel.close()

    def look(page: PanelPage) -> None:
        page.page.set_viewport_size({"width": width + 40, "height": 1_000})
        page.open(comm, width=width)
        page.tell(comm.messages)
        page.page.locator(".bm-details-button").click()
        page.unfold()
        assert page.count(".bm-step") == 61
        assert page.too_wide() == []

    in_page(look)
