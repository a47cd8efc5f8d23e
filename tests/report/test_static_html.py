"""A turn as HTML in a saved notebook."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budget_magic.events import ApprovalGiven, AttemptFailed, Ceilings, NoticePosted, Suggestion
from budget_magic.report.bundle import bundle, static_html
from budget_magic.report.fitting import LONG_BYTES, SAVED_BYTES
from budget_magic.report.markdown_blocks import ALLOWED_TAGS
from budget_magic.report.view_models import LiveState, TurnView
from tests.report.hostile import OWN_TAGS, PAYLOADS, has_controls, parse
from tests.report.records import (
    PORT_COMMAND,
    SETTINGS,
    Story,
    audit,
    audit_until_step_8,
    call,
    port,
    said,
    thought,
)
from tests.report.test_markdown import ATTRIBUTES, OF_TARGET
from tests.report.test_rows import stopped, unattended

OWN_ATTRIBUTES = {*((tag, "style") for tag in OWN_TAGS), ("div", "dir"), ("span", "dir")}
# What JupyterLab 4.6 keeps of an untrusted output (its allow-list, read from its bundle).
EDGE = r"[13]px (?:solid|dashed) #[0-9a-f]{8}"
DECLARATION = re.compile(
    r"(?:font-size|width|height|line-height|(?:max|min)-width|margin-(?:top|right)"
    r"|border-radius):[\d.]+(?:px|%|)|(?:margin|padding):(?:-?[\d.]+(?:px|%)? ?){1,4}"
    r"|display:(?:none|flex|inline-flex|inline-block)|overflow:(?:hidden|auto)|opacity:0\.72"
    r"|background-color:(?:#(?:[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8}))|white-space:(?:nowrap|pre|pre-wrap)"
    r"|align-items:(?:center|flex-end)|vertical-align:(?:middle|top)|border-collapse:collapse"
    r"|text-align:(?:left|right|center)|font-weight:600|float:right|clear:both|flex-wrap:wrap"
    r"|overflow-wrap:break-word|overflow-x:auto|color:#[0-9a-f]{6}|flex:1 1 200px"
    rf"|font-family:monospace|border(?:-(?:left|top|bottom))?:{EDGE}"
)
FIGURES = re.compile(r"\$?\d[\d,.:]*[kM%]?")


def assert_harmless(html: str) -> None:
    found = parse(html)
    assert found.tags <= OWN_TAGS | ALLOWED_TAGS
    assert found.attributes <= OWN_ATTRIBUTES | ATTRIBUTES | OF_TARGET["saved"]
    for name, value in found.values:
        if name == "style":
            for declaration in filter(None, value.split(";")):
                assert DECLARATION.fullmatch(declaration), declaration
        assert name != "href" or value.lower().startswith(("https://", "http://", "mailto:"))
    assert not has_controls(html)
    assert len(html.encode()) <= LONG_BYTES


def way_out(text: str) -> Suggestion:
    """A suggestion that holds a text wherever it can."""
    return Suggestion(action="resume", task=text, changes={"model": text}, lead=text, effect=text)


def hostile_turn(text: str) -> TurnView:
    """A turn with the text in every place that a model, a tool or a user can write."""
    named = replace(SETTINGS, model=text, effort=text, simulated=text)
    story = Story(settings=named).start().add(NoticePosted(turn=1, text=text)).ask()
    content = [thought(text), said(text), call("a", text, **{text[:50]: text}), call("b", text)]
    story.reply(content, thinking=5, calls=90, text=3, cost_usd=Decimal("0.1"))
    story.add(ApprovalGiven(turn=1, step=1, call_id="a", name=text, decision="denied", by="person",
                            reason=text))  # fmt: skip
    story.tool("a", text, text, is_error=True, ran=False).tool("b", text, text, is_error=True)
    story.ask().add(AttemptFailed(turn=1, step=2, attempt=1, why=text))
    story.end("failed", "api_error", text, text=text, suggestions=(way_out(text),))
    return story.view(text)


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_text_is_harmless_wherever_it_stands(payload: str) -> None:
    assert_harmless(static_html(hostile_turn(payload)))


@pytest.mark.parametrize("save", [True, False])
def test_the_designs_turns_use_only_what_jupyterlab_keeps(save: bool) -> None:  # noqa: FBT001
    for story in (audit(), port()):
        assert_harmless(static_html(story.view(save_transcript=save)))


def test_a_running_turn_is_readable_html_too() -> None:
    live = LiveState(step=8, doing="<b>", elapsed_s=82, has_begun=True)
    story = audit_until_step_8().ask(held_usd=Decimal("0.64"))
    html = static_html(story.view(live=live))
    assert_harmless(html)
    text = parse(html).text
    assert "▶ Runningstep 8, <b>" in text
    assert "cost $0.44 of $5.00 (9 %), $0.64 held" in text


def test_with_styles_stripped_every_fact_is_text() -> None:
    view = audit().view()
    text = " ".join(parse(static_html(view)).text.split())
    assert text.startswith("✓ Completed8 steps, 1:35")
    assert "25,450 tokens left of 64,000$0.55 of $5.008 of 50 steps" in text
    assert "Details: audit turn 1, claude-opus-5-5, effort high" in text
    assert "together 38,550 tokens counted, 60 % used" in text
    for kind in view.gauge.kinds:
        assert f"{kind.glyph} {kind.label} {kind.text}" in text
    for ceiling in view.ceilings:
        assert f"{ceiling.kind} {ceiling.spent} {ceiling.of} (" in text
    assert "steps 8 of 50 (16 %), nearest" in text
    for step in view.steps:
        assert f"{step.number}. {step.title}" in text
        assert f"{step.counted} tokens, {step.cost}, {step.time}" in text
    for row in view.meters.rows:
        assert f"{row.label}: {row.tokens} tokens at {row.price} per M, {row.cost}" in text
    assert "Transcript: 8 steps, 10 tool calls" in text
    assert "Two meters: 38,550 tokens counted, 177,354 billed, $0.55" in text
    assert "built-in table of 22 Nov 2026" in text


def test_an_ending_has_its_sentence_and_its_command_once() -> None:
    html = static_html(port().view("port"))
    text = parse(html).text
    assert text.count("the next step could have cost up to $0.88. Go on with") == 1
    assert html.count(f">{PORT_COMMAND}</code>") == 1
    assert "$9.88 of $10.00, halted here" in text
    assert "22 earlier steps, 350,012 tokens, $" in text


def test_errors_and_the_last_steps_keep_their_parts() -> None:
    html = static_html(audit().view())
    assert "FileNotFoundError: src/config.py is not there." in html
    assert "first 8 and last 4 of 80 lines" in html
    assert "TEMPLATE" in html
    assert "What the other steps said and read is in task.events." in html


def test_without_the_transcript_figures_prompt_and_answer_are_kept() -> None:
    html = static_html(audit(prompt="Audit this folder.").view(save_transcript=False))
    assert "Audit this folder." in html
    assert "Four findings" in html
    assert "25,450" in html
    for part in ("glob", "FileNotFoundError", "config.py", "timing leaks"):
        assert part not in html
    assert "8 steps, 10 tool calls; files below ~/project; transcript not saved" in parse(html).text


def test_two_dollars_never_stand_in_one_text() -> None:
    story = Story().start().ask().reply([said("x"), call("a", "pay", usd="$5 $6")], calls=9)
    story.tool("a", "pay", "$7 $8", is_error=True)
    story.end("failed", "api_error", "lost $1 and $2", text="$3 and $4, `$x $y`")
    html = static_html(story.view())
    outside_code = re.sub(r"<(code|pre)\b[^>]*>.*?</\1>", "", html, flags=re.DOTALL)
    assert outside_code.count("$") == outside_code.count("<span>$</span>") > 10
    assert "<code>$x $y</code>" in html


def test_the_prompt_stands_above_the_answer_and_a_long_one_is_folded() -> None:
    html = static_html(audit(prompt="Audit <this>\nfolder.").view())
    assert html.index("Audit &lt;this&gt;\nfolder.") < html.index("Four findings")
    assert html.count("<details") == static_html(audit().view()).count("<details")
    long = static_html(Story().start(prompt="Look. " * 2_000).view())
    assert long.count("<details") == static_html(Story().start().view()).count("<details") + 1
    assert "first 1,400 and last 600 of 11,999 characters" in long


def test_what_streamed_before_a_stop_is_the_answer_and_marked_once() -> None:
    html = static_html(stopped("Two findings:\n\n```python\nx = 1").view())
    text = parse(html).text
    assert text.count("x = 1") == text.count("cut off here") == 1
    assert text.index("x = 1") < text.index("cut off here") < text.index("Transcript")


def test_denied_calls_stand_in_the_first_lines() -> None:
    html = static_html(unattended().view())
    assert html.index("No user is attached to approve shell") < html.index("Prompt")


def test_an_overrun_and_a_later_turn_are_said_in_words() -> None:
    story = audit().start().ask().reply([said("x")], text=28_034).end(text="x")
    text = parse(static_html(story.view())).text
    assert "2,584 tokens over 64,000, 104 % used; a budget is advice, not a limit" in text
    assert "this turn began with 25,450 left" in text
    assert "budget of 64,000" in text
    assert "this turn: 28,034 tokens, 1 step, $0.57" in text
    assert "Two meters, whole task:" in text


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.integers(0, 60),
    size=st.sampled_from([0, 10, 900, 5_000, 60_000]),
    answer=st.sampled_from([0, 10, 3_000, 12_000, 60_000]),
    text=st.sampled_from(
        ["word $x & <b>\n", "é", "*a* ", "`$` ", "$", "- [x](https://e.x)\n", "<"]
    ),
    calls=st.integers(1, 8),
)
def test_a_turn_fits_whatever_its_parts(
    steps: int, size: int, answer: int, text: str, calls: int
) -> None:
    story = Story(settings=replace(SETTINGS, ceilings=Ceilings(steps=100))).start()
    part = text * (size // len(text))
    for _ in range(steps):
        story.ask()
        made = [call(f"c{n}", "read_file", path=part[:200], text=part) for n in range(calls)]
        story.reply([thought(part), *made], thinking=10, calls=90)
        for n in range(calls):
            story.tool(f"c{n}", "read_file", part, is_error=n % 2 == 0)
    story.end("halted", "step_ceiling", part, text=text * (answer // len(text)),
              suggestions=(way_out(part),))  # fmt: skip
    html = static_html(story.view())
    assert_harmless(html)
    if steps:
        assert f"{steps}. " in html
    forms = bundle(story.view(), {})
    total = len(json.dumps(forms, ensure_ascii=False).encode())
    assert total <= (LONG_BYTES if answer > 2_000 or size > 100 else SAVED_BYTES)
    if steps > 5 and size > 1_000:
        assert "task.events" in html


def test_a_long_answer_keeps_head_and_tail_and_says_what_is_missing() -> None:
    answer = "# Start\n\n```python\n" + "x = 1\n" * 12_000 + "```\n\n**The end.**"
    story = Story().start().ask().reply([said(answer)], text=9).end(text=answer)
    html = static_html(story.view())
    assert ">Start</h1>" in html
    assert "<strong>The end.</strong>" in html
    assert "characters of the answer" in html
    assert_harmless(html)


def test_an_answer_loses_its_colours_before_its_text() -> None:
    code = "def same(a):\n    return a == 1\n" * 130
    answer = f"```python\n{code}```"
    story = Story().start().ask().reply([said(answer)], text=9).end(text=answer)
    html = static_html(story.view())
    assert "color:#7526a3" not in html
    assert code in parse(html).text
    short = f"```python\n{code[:300]}```"
    story = Story().start().ask().reply([said(short)], text=9).end(text=short)
    assert "color:#7526a3" in static_html(story.view())
