"""A turn as plain text."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from budget_magic.events import AttemptFailed
from budget_magic.meter import Kinds
from budget_magic.report.plain import columns, plain_report, progress_line, step_line
from budget_magic.report.view_models import LiveState
from tests.report.hostile import PAYLOADS, has_controls
from tests.report.records import RESUME, SETTINGS, Story, audit, audit_until_step_8, port, said
from tests.report.test_rows import stopped, unattended
from tests.report.test_static_html import hostile_turn

LIVE = LiveState(
    step=8,
    doing="writing",
    elapsed_s=82,
    has_begun=True,
    streaming=Kinds(text=478),
)
PORT = """\
‖ Halted  port turn 1, claude-opus-5-5, effort high
  Stopped at $9.88 of $10.00 in step 42: the next step could have cost up to
  $0.88.
  Go on with: %claude_resume port --max-cost 15

  164,430 tokens left of 800,000, 79 % used
  ██████████████▓▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒············
  █ thinking 186,106  ▓ tool calls 11,420  ▒ tool results 438,044  ░ text 0
  left after each step  ██▇▇▇▇▇▆▆▆▆▅▅▅▄▄▄▄▄▃▃▃▃▂  15.1k a step

  cost      $9.88 of $10.00  ━━━━━━━━━━━━━━━━━━━━   99 %  halted here
  tokens   843.2k of 1.00M   ━━━━━━━━━━━━━━━━━      84 %
  steps        42 of 50      ━━━━━━━━━━━━━━━━━      84 %
  time       9:43 of 30:00   ━━━━━━                 32 %
  input    13.49M cached, 645.7k new: 95 % from the cache
  two meters: 635,570 counted against the budget, 14,334,216 billed

  files below ~/project
  transcript: t.events after t = %claude_task port
"""


def test_the_report_reads_as_designed() -> None:
    assert plain_report(port().view("port")) == PORT


def test_the_report_holds_the_answer_with_hanging_indents() -> None:
    report = plain_report(audit().view())
    assert "  1. **Session token compared with `==`** (`src/session.py:88`): timing" in report
    assert "\n     a valid token. Use `hmac.compare_digest`.\n" in report
    assert max(map(len, report.splitlines())) <= 80


def test_prompt_cut_mark_and_denied_calls_are_said() -> None:
    report = plain_report(stopped("Two findings:").view())
    assert "\n  Two findings:\n  [cut off here]\n" in report
    report = plain_report(unattended().view())
    assert report.index("No user is attached to approve shell") < report.index("Prompt: Tidy up.")
    long = plain_report(Story().start(prompt="Look. " * 2_000).view())
    assert "(first 336 and last 144 of 11,999 characters)" in " ".join(long.split())


def test_code_in_the_answer_is_not_folded() -> None:
    line = "x = " + " + ".join("1" for _ in range(60))
    answer = f"```python\n{line}\n```\n{'word ' * 30}"
    report = plain_report(Story().start().ask().reply([said(answer)]).end(text=answer).view())
    assert f"  {line}\n" in report
    assert f"{'word ' * 16}" not in report


def test_without_utf8_there_are_words_and_ascii() -> None:
    for story in (audit(), port()):
        report = plain_report(story.view(), utf8=False)
        assert report.isascii()
        assert "left after each step" not in report
    report = plain_report(audit().view(), utf8=False)
    assert report.startswith("OK  audit turn 1")
    assert "# thinking 13,544  = tool calls 1,021  - tool results 21,907  . text 2,078" in report


def test_the_simulator_is_named_below_the_verdict() -> None:
    view = audit(replace(SETTINGS, simulated="no API key found")).view()
    assert "~ Simulated: no API key found. A script answers" in plain_report(view)
    assert "SIM Simulated: no API key found." in plain_report(view, utf8=False)


def test_an_interrupted_turn_says_both_ends() -> None:
    story = audit_until_step_8().ask().add(
        AttemptFailed(turn=1, step=8, attempt=1, why="cut off", unconfirmed_usd=Decimal("0.64"),
                      at_least_usd=Decimal("0.02"), unconfirmed_tokens=40_000)
    )  # fmt: skip
    story.end("interrupted", "keyboard", "stopped in step 8; what was done is kept",
              suggestions=(RESUME,))  # fmt: skip
    report = plain_report(story.view())
    assert report.startswith("⊖ Stopped  audit turn 1")
    assert (
        "  Stopped in step 8; what was done is kept.\n  Go on with: %claude_resume audit" in report
    )
    assert "1 cut-off request: at least $0.02 (streamed), at most $0.64 (held)." in report


def test_the_moving_line_fits_into_the_width() -> None:
    view = audit_until_step_8().ask().view(live=LIVE)
    line = progress_line(view)
    assert line.startswith("▶ audit  step 8/50  ████▓▒▒▒▒▒░···")
    assert line.endswith("31k of 64k left  $0.44  1:22  writing")
    for width in (40, 60, 80, 120):
        assert columns(progress_line(view, width=width)) <= width
        ascii_line = progress_line(view, width=width, utf8=False)
        assert ascii_line.isascii()
        assert len(ascii_line) <= width
    assert progress_line(audit().view()).endswith("completed")
    assert progress_line(Story().start().view()).startswith("▶ audit  step 1/50")


def test_without_a_budget_the_moving_line_says_what_was_used() -> None:
    view = audit_until_step_8(replace(SETTINGS, budget=None)).ask().view(live=LIVE)
    assert progress_line(view) == "▶ audit  step 8/50  33k used  $0.44  1:22  writing"


def test_one_line_a_step() -> None:
    lines = [step_line(step) for step in audit().view().steps]
    assert lines[3] == (
        "  4  read_file src/config.py ✕ error                  1,114 tok  $0.041    5.1 s"
    )
    assert {len(line) for line in lines} == {80}
    assert " ! error " in step_line(audit().view().steps[3], utf8=False)


def test_wide_characters_count_as_two_columns() -> None:
    assert columns("日本") == 4
    assert columns("e\u0301") == 1


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_text_cannot_drive_the_terminal(payload: str) -> None:
    view = hostile_turn(payload)
    for text in (plain_report(view), progress_line(view), *map(step_line, view.steps)):
        assert not has_controls(text)
    assert "\n" not in progress_line(view)
    assert all("\n" not in step_line(step) for step in view.steps)
    assert len(plain_report(view)) < 40_000
