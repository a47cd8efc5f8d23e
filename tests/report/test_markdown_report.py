"""A turn as Markdown, and the bundle that a cell's output holds."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.report.bundle import TURN_MIME, bundle, markdown_report, turn_json
from budget_magic.report.markdown import render_markdown
from budget_magic.report.safe_markdown import code_block, code_span, escape_markdown
from tests.report.hostile import PAYLOADS, has_controls, parse
from tests.report.records import PORT_COMMAND, PORT_DETAIL, Story, audit, port, said
from tests.report.test_rows import stopped, unattended
from tests.report.test_static_html import hostile_turn


def test_it_tells_the_same_facts_as_the_html() -> None:
    view = audit().view()
    text = " ".join(parse(render_markdown(markdown_report(view))).text.split())
    assert text.startswith("✓ Completed 8 steps, 1:35")
    assert "Details: audit turn 1, claude-opus-5-5, effort high" in text
    assert "25,450 tokens left of 64,000, 60 % used" in text
    for kind in view.gauge.kinds:
        assert f"{kind.label} {kind.text}" in text
    for ceiling in view.ceilings:
        assert f"{ceiling.spent} {ceiling.of}" in text
    for step in view.steps:
        assert f"{step.number} {step.title}" in text
        assert f"{step.counted} {step.cost} {step.time}" in text
    assert "FileNotFoundError: src/config.py is not there." in text
    assert "177,354 billed, $0.55" in text


def test_the_command_of_an_ending_is_a_code_span() -> None:
    report = markdown_report(port().view("port"))
    assert f"could have cost up to `$0.88`. Go on with `{PORT_COMMAND}`" in report
    assert "22 earlier steps, 350,012 tokens, `$4.53`" in report


def test_the_prompt_is_quoted_line_by_line() -> None:
    report = markdown_report(audit(prompt="*Audit*\n\n# this").view())
    assert "**Prompt**\n\n> \\*Audit\\*\\\n>\n> \\# this\n" in report


def test_what_streamed_before_a_stop_is_marked() -> None:
    report = markdown_report(stopped("Two findings:\n\n```python\nx = 1").view())
    assert "x = 1\n```\n\n*cut off here*" in report
    assert report.count("cut off here") == 1


def test_denied_calls_stand_in_the_first_lines() -> None:
    report = markdown_report(unattended().view())
    assert report.index("No user is attached to approve shell") < report.index("Prompt")


def test_without_the_transcript_only_figures_and_answer_are_kept() -> None:
    report = markdown_report(audit().view(save_transcript=False))
    assert "Four findings" in report
    assert "FileNotFoundError" not in report
    assert "8 steps, 10 tool calls; files below \\~/project; transcript not saved" in report


@settings(deadline=None)
@given(st.text(alphabet="`~ab \n*", max_size=60))
def test_no_text_leaves_its_fence(text: str) -> None:
    html = render_markdown(f"{code_block(text)}\n\nafter")
    assert html.endswith("</pre>\n<p>after</p>\n")
    span = code_span(text)
    if span:
        assert render_markdown(f"x {span} y").count("<code>") == 1


@settings(deadline=None)
@given(st.text(alphabet="*_`[]()<>|~$&@\\ab:/.#", max_size=40))
def test_escaped_text_is_read_back_as_it_was(text: str) -> None:
    html = render_markdown(f"x {escape_markdown(text)}")
    assert parse(html).text.strip() == " ".join(f"x {text}".split())


def test_an_open_fence_in_the_answer_does_not_swallow_the_rest() -> None:
    story = Story().start().ask().reply([said("x")]).end(text="~~~\nnever closed")
    html = render_markdown(markdown_report(story.view()))
    assert "<strong>Transcript: 1 step, 0 tool calls; files below ~/project</strong>" in html


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_text_stays_within_its_place(payload: str) -> None:
    report = markdown_report(hostile_turn(payload))
    assert not has_controls(report)
    assert len(report.encode()) < 60_000


def test_the_bundle_holds_four_forms_of_one_turn() -> None:
    story = port()
    view = story.view("port")
    made = bundle(view, turn_json(story.fold("port")))
    assert list(made) == ["text/html", "text/markdown", "text/plain", TURN_MIME]
    assert [type(made[mime]) for mime in list(made)[:3]] == [str, str, str]
    turn = json.loads(json.dumps(made[TURN_MIME]))
    assert list(turn) == [
        "version", "task", "turn", "state", "reason", "detail", "budget", "remaining", "spend",
        "total", "client", "model", "effort",
    ]  # fmt: skip
    assert (turn["version"], turn["state"], turn["reason"]) == (1, "halted", "cost_ceiling")
    assert turn["detail"] == f"{PORT_DETAIL}; go on with `{PORT_COMMAND}`"
    assert (turn["budget"], turn["remaining"]) == (800_000, 164_430)
    assert re.fullmatch(r"9\.\d+", turn["spend"]["cost_usd"])
    assert turn["total"] == turn["spend"]


def test_a_running_turn_has_no_reason_yet() -> None:
    story = Story().start()
    turn = turn_json(story.fold())
    assert (turn["state"], turn["reason"], turn["detail"]) == ("running", None, "")
