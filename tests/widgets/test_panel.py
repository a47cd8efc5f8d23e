"""The panel's buttons, its life, and what it does when something is wrong."""

from __future__ import annotations

import logging
import threading
from decimal import Decimal
from typing import Any

import pytest

from budget_magic.events import ApprovalAsked
from budget_magic.widgets import Offers, Panel
from budget_magic.widgets.controls import offers_json
from budget_magic.widgets.panel import WIDGET_MIME
from tests.report.records import Story, audit, call
from tests.widgets.conftest import Stage
from tests.widgets.panels import GUARD_S, OFFERS, Joined


def flushers() -> list[threading.Thread]:
    """Threads of panels that are open."""
    return [thread for thread in threading.enumerate() if thread.name == "budget_magic panel"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"k": "stop"}, ("stop",)),
        (
            {"k": "decide", "id": "a", "kind": "once", "reason": ""},
            ("decide", "a", "once", ""),
        ),
        (
            {"k": "decide", "id": "a", "kind": "denied", "reason": "not now"},
            ("decide", "a", "denied", "not now"),
        ),
        ({"k": "effort", "level": "low", "when": "next"}, ("effort", "low", "next")),
        ({"k": "effort", "level": "max", "when": "now"}, ("effort", "max", "now")),
        (
            {"k": "budget", "from": 64_000, "to": "128k", "when": "now"},
            ("budget", 64_000, "128k", "now"),
        ),
        (
            {"k": "budget", "from": None, "to": "none", "when": "next"},
            ("budget", None, "none", "next"),
        ),
        (
            {"k": "budget", "from": 64_000, "to": "9" * 10**6, "when": "now"},
            ("budget", 64_000, "9" * 40, "now"),
        ),
        (
            {"k": "ceiling", "ceiling": "cost", "from": "5", "to": "7.00"},
            ("ceiling", "cost", "5", "7.00"),
        ),
    ],
)
def test_a_button_reaches_its_control_at_once(
    stage: Stage, content: dict[str, Any], said: tuple[object, ...]
) -> None:
    show, comm = stage.open(Story().start().ask())
    comm.say(content)
    assert show.controls.said == [said]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "stop",
        [],
        {},
        {"k": ["stop"]},
        {"k": "decide", "id": "a", "kind": "always", "reason": ""},
        {"k": "decide", "id": 3, "kind": "once", "reason": ""},
        {"k": "decide", "id": "a", "kind": ["once"], "reason": ""},
        {"k": "effort", "level": "low", "when": "later"},
        {"k": "effort", "level": "enormous", "when": "now"},
        {"k": "budget", "from": 64_000, "to": 128_000, "when": "now"},
        {"k": "budget", "from": "64000", "to": "128k", "when": "now"},
        {"k": "budget", "from": 64_000, "to": "128k", "when": "later"},
        {"k": "budget", "from": 64_000, "to": "128k"},
        {"k": "budget", "to": "128k", "when": "now"},
        {"k": "ceiling", "ceiling": "hope", "from": "5", "to": "7.00"},
        {"k": "ceiling", "ceiling": "cost", "from": 5, "to": 7},
        {"k": "ceiling", "ceiling": "cost"},
        {"k": "hello"},
        {"k": "whole", "id": None},
        {"k": "whole", "step": 10**6},
    ],
)
def test_a_message_without_sense_is_dropped(
    stage: Stage, content: object, capfd: pytest.CaptureFixture[str]
) -> None:
    show, comm = stage.open(Story().start().ask())
    comm.say(content)
    show.panel.close()
    assert show.controls.said == []
    assert capfd.readouterr() == ("", "")


def test_a_control_that_fails_is_neither_printed_nor_raised(
    stage: Stage, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    show, comm = stage.open(Story().start().ask())

    def fail(*_: object) -> None:
        raise ValueError("sk-ant-secret")

    show.controls.decided = fail
    with caplog.at_level(logging.WARNING):
        comm.say({"k": "decide", "id": "a", "kind": "once", "reason": ""})
        show.panel.close()
    assert capfd.readouterr() == ("", "")
    assert "a button failed with ValueError" in caplog.text
    assert "sk-ant-secret" not in caplog.text


def test_a_view_that_fails_is_logged_once_and_the_panel_goes_on(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    show, comm = stage.open(Story().start().ask())
    failed = threading.Semaphore(0)

    def offers() -> Offers:
        failed.release()
        raise ValueError("sk-ant-secret")

    works, show.controls.offers = show.controls.offers, offers  # type: ignore[method-assign]  # what fails
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            show.panel.say_no_events()
            assert failed.acquire(timeout=GUARD_S)
        show.controls.offers = works  # type: ignore[method-assign]  # what works again
        show.begin()
        show.stream("still here")
        show.panel.close()
    assert Joined(comm).streams == {1: "still here"}
    assert caplog.text.count("the panel failed with ValueError") == 1
    assert "sk-ant-secret" not in caplog.text


def test_the_whole_of_a_result_comes_when_it_is_asked_for(stage: Stage) -> None:
    story = Story().start().ask().reply([call("a", "read_file", path="x")], calls=9)
    show, comm = stage.open(story.tool("a", "read_file", "\n".join(["a line"] * 501)))
    result = comm.opened["snapshot"]["steps"][0]["blocks"][1]
    assert (result["lines"], result["more"]) == (501, True)
    assert result["text"].count("\n") == 8
    comm.say({"k": "whole", "id": "a"})
    comm.wait(lambda: any("w" in message for message in comm.messages))
    call_id, text, note = next(message["w"] for message in comm.messages if "w" in message)
    show.panel.close()
    assert (call_id, text.count("\n"), note) == ("a", 200, "first 140 and last 60 of 501 lines")


def test_an_answer_to_a_question_has_no_number(stage: Stage) -> None:
    story = Story().start().ask().reply([call("a", "read_file", path="x")], calls=9)
    show, comm = stage.open(story.tool("a", "read_file", "text"))
    comm.say({"k": "whole", "id": "unknown"})
    comm.wait(lambda: any("w" in message for message in comm.messages))
    show.panel.close()
    numbers = [message["r"] for message in comm.messages if "w" not in message]
    first = comm.opened["snapshot"]["r"]
    assert numbers == list(range(first + 1, first + 1 + len(numbers)))


def test_a_call_that_waits_is_shown_with_its_whole_input(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    text = "x = 1\n" * 2_000
    call_input = {"path": "a.py", "text": text}
    show.tell(lambda story: story.reply([call("a", "edit_file", **call_input)], calls=9))
    asked = ApprovalAsked(
        turn=1, step=1, call_id="a", name="edit_file", input=call_input, why="It changes a file."
    )
    show.add(asked)
    comm.wait(lambda: bool(Joined(comm).head["approvals"]))
    (waiting,) = Joined(comm).head["approvals"]
    assert waiting["fields"] == [["path", "a.py", ""], ["text", text, "12,000 characters"]]
    comm.say({"k": "decide", "id": "a", "kind": "denied", "reason": "no"})
    comm.wait(lambda: not Joined(comm).head["approvals"])
    show.panel.close()
    assert Joined(comm).steps[1]["row"]["marks"] == [["denied", "denied: no", ""]]


def test_dead_buttons_are_said_until_a_view_says_hello(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.panel.say_no_events()
    comm.wait(lambda: Joined(comm).head["no_events"] is True)
    comm.say({"k": "hello", "r": 0})
    comm.wait(lambda: Joined(comm).head["no_events"] is False)
    assert show.panel.said_hello.is_set()


def test_closing_ends_the_thread_and_can_be_repeated(stage: Stage) -> None:
    show, comm = stage.open(audit())
    assert len(flushers()) == 1
    show.panel.close()
    show.panel.close()
    assert flushers() == []
    assert comm.kinds[-1] == "comm_close"


def test_a_page_that_loads_after_the_end_finds_the_finished_turn(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.tell(lambda story: story.end("interrupted", "stop_button", "stopped in step 1"))
    show.panel.finish()
    assert flushers() == []
    assert "comm_close" not in comm.kinds
    assert show.panel.widget.get_state()["snapshot"]["head"]["word"] == "Stopped"


def test_facts_after_the_end_do_no_harm(stage: Stage) -> None:
    show, comm = stage.open(audit())
    show.panel.close()
    told = len(comm.told)
    show.turn.record(show.story.records[-1])
    show.begin()
    assert len(comm.told) == told


def test_nothing_is_offered_after_the_end(stage: Stage) -> None:
    _, comm = stage.open(audit())
    assert comm.opened["snapshot"]["head"]["offers"]["levels"] == []


def test_the_report_for_the_file_is_computed_for_a_page_until_it_is_there(stage: Stage) -> None:
    show, comm = stage.open(audit())
    panel = Panel(show.turn, show.controls, lambda: {"text/plain": "done"}, "cell-1")
    panel.finish()
    saved = panel.widget.get_state("saved")["saved"]

    assert saved == {
        "panel": panel.widget.model_id,
        "cell": "cell-1",
        "ended": True,
        "bundle": {"text/plain": "done"},
    }
    stage.comms[-1].say({"k": "kept"})
    assert panel.widget.get_state("saved")["saved"] == {}
    assert comm.opened["saved"] == {}
    panel.close()


def test_a_report_that_fails_is_logged_without_its_message(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def report() -> dict[str, object]:
        raise ValueError("a secret")

    show, _ = stage.open(audit())
    panel = Panel(show.turn, show.controls, report)
    stage.comms[-1].say({"k": "saves"})
    panel.close()

    assert "the report for the notebook's file failed with ValueError" in caplog.text
    assert "a secret" not in caplog.text


def test_the_bundle_holds_only_the_widget(stage: Stage) -> None:
    show, _ = stage.open(audit())
    bundle = show.panel.mime_bundle()
    assert list(bundle) == [WIDGET_MIME]
    assert bundle[WIDGET_MIME]["model_id"] == show.panel.widget.model_id


def test_the_cost_of_a_change_is_said_before_it_is_chosen() -> None:
    offers = offers_json(OFFERS, 8)
    assert offers["effort_now"] == {
        "title": "From step 9",
        "price": "+$0.18 once",
        "why": "The 38.2k tokens in the cache are written again: effort is part of what is cached.",
    }
    assert offers["effort_next"] == {
        "title": "Next cell",
        "price": "$0.00",
        "why": "Keeps the cache. This turn stays at high.",
    }
    assert (offers["budget_now"]["title"], offers["budget_now"]["price"]) == (
        "From step 9",
        "+$0.18 once",
    )
    assert offers["budget_next"]["price"] == "+$0.18 once or more"
    assert offers["budgets"] == [96_000, 128_000, 192_000]
    assert offers["ceilings"]["cost"] == {"by": "+$2", "from": "5", "to": "7.00", "text": "$7.00"}
    assert offers["ceilings"]["time"] is None


@pytest.mark.parametrize(
    ("usd", "price"),
    [
        (None, "unknown price"),
        (Decimal("0.001"), "under $0.01"),
        (Decimal(0), "+$0.00 once"),
    ],
)
def test_a_small_or_unknown_cost_is_said_as_such(usd: Decimal | None, price: str) -> None:
    offers = offers_json(Offers(rewrite_tokens=5, rewrite_usd=usd), 1)
    assert (offers["effort_now"]["price"], offers["budget_now"]["price"]) == (price, price)


def test_a_change_before_anything_is_cached_is_free() -> None:
    offers = offers_json(Offers(levels=("low",), effort="low"), 1)
    for name in ("effort_now", "effort_next", "budget_now"):
        assert offers[name]["price"] == "$0.00"
    assert offers["budget_next"]["price"] == "not known yet"
    assert offers["effort_now"]["why"] == "Nothing is in the cache yet."
    assert offers["next"] == "low"


def test_where_effort_is_not_per_message_the_next_cell_pays_too() -> None:
    offers = offers_json(Offers(rewrite_tokens=5, rewrite_usd=Decimal("0.18"), effort="low"), 1)
    assert offers["effort_next"] == {
        "title": "Next cell",
        "price": "+$0.18 once or more",
        "why": "The cache is written again then too. This turn stays at low.",
    }
