"""What the reader of a turn is shown, by value."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    AttemptFailed,
    Ceilings,
    HistoryRewritten,
    NoticePosted,
    Reason,
    RetryScheduled,
    SettingsChanged,
    State,
    ToolFinished,
    ToolStarted,
    WaitStarted,
)
from budget_magic.meter import Kinds
from budget_magic.models import user_prices
from budget_magic.report.gauges import kinds_sum
from budget_magic.report.labels import split_verdict
from budget_magic.report.view import view_turn
from budget_magic.report.view_models import (
    CeilingView,
    InputField,
    LiveState,
    TitlePart,
    TurnView,
)
from budget_magic.widgets.serialize import head_json
from tests.report.records import (
    ANSWER,
    PORT_COMMAND,
    RESUME,
    SETTINGS,
    Story,
    audit,
    audit_until_step_8,
    call,
    port,
    said,
)

LIVE = LiveState(
    step=8,
    doing="writing",
    elapsed_s=82,
    step_elapsed_s=9,
    has_begun=True,
    streaming=Kinds(thinking=1_200, text=478, results=2_494),
    estimated_usd=Decimal("0.078"),
)


def running() -> Story:
    return audit_until_step_8().ask(held_usd=Decimal("0.64"), held_tokens=40_000)


def ceiling(view: TurnView, kind: str) -> CeilingView:
    return next(one for one in view.ceilings if one.kind == kind)


def test_the_gauge_says_what_is_left_and_its_kinds_add_up() -> None:
    gauge = audit().view().gauge
    assert (gauge.number, gauge.caption, gauge.used_text) == (
        "25,450", "tokens left of 64,000", "60 % used",
    )  # fmt: skip
    assert [kind.text for kind in gauge.kinds] == ["13,544", "1,021", "21,907", "2,078"]
    assert sum(kind.tokens for kind in gauge.kinds) == gauge.used == 38_550
    assert sum(kind.share for kind in gauge.kinds) == pytest.approx(38_550 / 64_000)


def test_the_pace_shows_what_was_left_after_each_step() -> None:
    pace = audit().view().pace
    assert (pace.left[0], pace.left[-1], len(pace.left)) == (64_000, 25_450, 9)
    assert pace.text == "4,820 a step"


def test_steps_and_bill_add_up() -> None:
    view = audit().view()
    assert sum(step.counted_tokens for step in view.steps) == view.gauge.used
    for step in view.steps:
        assert kinds_sum(step.tokens) == step.counted_tokens
    total = sum((step.cost_usd or 0) for step in view.steps)
    assert view.meters.total == f"${total:.4f}" == "$0.5485"
    assert sum(int(row.tokens.replace(",", "")) for row in view.meters.rows) == 177_354
    assert sum(row.cost_share for row in view.meters.rows) == pytest.approx(1)
    assert [row.price for row in view.meters.rows] == ["$0.20", "$5.00", "$4.00", "$20.00"]


def test_ceilings_name_the_nearest_and_the_reached() -> None:
    done, halted = audit().view(), port().view("port")
    assert [c.word for c in done.ceilings] == ["", "", "nearest", ""]
    assert [f"{c.spent} {c.of}" for c in done.ceilings] == [
        "$0.55 of $5.00", "54.9k of 500k", "8 of 50", "1:35 of 10:00",
    ]  # fmt: skip
    assert ceiling(halted, "cost").level == "reached"
    assert [c.word for c in halted.ceilings] == ["halted here", "", "", ""]


@pytest.mark.parametrize(("usd", "level"), [("1.2", ""), ("0.60", ""), ("0.48", "near")])
def test_a_ceiling_is_near_from_ninety_percent_spent_whatever_is_held(usd: str, level: str) -> None:
    ceilings = Ceilings(cost_usd=usd, total_tokens=None, steps=None, elapsed_s=None)
    story = audit_until_step_8(replace(SETTINGS, ceilings=ceilings))
    view = story.ask(held_usd=Decimal("0.64")).view(live=replace(LIVE, estimated_usd=None))
    assert ceiling(view, "cost").level == level
    assert ceiling(view, "cost").held == "$0.64 held"
    assert ceiling(view, "cost").word == "nearest"


def test_what_is_left_of_a_ceiling_is_never_below_nothing() -> None:
    view = audit().view()
    assert [ceiling(view, kind).left for kind in ("cost", "tokens", "steps", "time")] == [
        "$4.45", "445.1k", "42", "8:24",
    ]  # fmt: skip
    over = replace(SETTINGS, ceilings=Ceilings(cost_usd="0.1", total_tokens=None))
    assert ceiling(audit(over).view(), "cost").left == "$0.00"
    assert ceiling(audit(over).view(), "tokens").left == ""


def test_open_ceilings_and_unknown_prices_say_so() -> None:
    story = Story(settings=replace(SETTINGS, ceilings=Ceilings(cost_usd=None))).start().ask()
    view = story.reply([said("hi")], text=10, cost_usd=None).end(text="hi").view()
    assert (ceiling(view, "cost").spent, ceiling(view, "cost").of) == ("unknown", "no ceiling")
    assert view.now == "1 step, 0:06"
    assert view.meters.source == "No price is known for claude-opus-5-5."
    assert view.steps[0].cost == "unknown"


def test_the_input_says_how_much_came_from_the_cache() -> None:
    assert audit().view().input.percent == "76 % from the cache"


def test_without_a_budget_the_gauge_says_what_was_used() -> None:
    view = audit(replace(SETTINGS, budget=None)).view()
    assert (view.gauge.number, view.gauge.caption) == ("38,550", "tokens used, no budget set")
    assert view.gauge.remaining is None
    assert view.pace.left == ()
    assert sum(kind.share for kind in view.gauge.kinds) == pytest.approx(1)


def test_an_overrun_budget_is_advice_and_has_a_tick() -> None:
    story = audit().start().ask().reply([said("x")], text=28_034).end(text="x")
    gauge = story.view().gauge
    assert gauge.over
    assert (gauge.number, gauge.caption) == ("2,584", "tokens over 64,000")
    assert gauge.used_text == "104 % used; a budget is advice, not a limit"
    assert gauge.limit_share == pytest.approx(64_000 / 66_584)


def test_a_later_turn_marks_where_it_began_and_what_it_used() -> None:
    view = audit().start().ask().reply([said("x")], text=640, seconds=3).end(text="x").view()
    assert view.heading.startswith("audit turn 2, ")
    assert view.gauge.used == 39_190
    assert view.gauge.began_share == pytest.approx(38_550 / 64_000)
    assert view.gauge.turn_line.startswith("this turn: 640 tokens, 1 step, $0.0")
    assert [step.number for step in view.steps] == [1]
    assert view.steps_text == "1 step, 0 tool calls"
    assert ceiling(view, "steps").spent == "1"
    assert ceiling(view, "time").spent == "0:03"
    assert ceiling(view, "tokens").spent == "55.5k"
    assert (view.meters.scope, view.meters.counted) == ("whole task", "39,190")


@pytest.mark.parametrize(
    ("state", "reason", "word", "glyph", "ascii_word"),
    [
        ("completed", "end_turn", "Completed", "✓", "OK"),
        ("halted", "stuck_loop", "Halted", "‖", "HALT"),
        ("interrupted", "stop_button", "Stopped", "⊖", "STOP"),
        ("failed", "connection", "Failed", "✕", "FAIL"),
    ],
)
def test_every_ending_has_its_word(
    state: State, reason: Reason, word: str, glyph: str, ascii_word: str
) -> None:
    view = audit_until_step_8().end(state, reason, "halted", suggestions=(RESUME,)).view()
    assert (view.state.word, view.state.glyph, view.state.ascii) == (word, glyph, ascii_word)
    assert view.state.ended
    assert view.verdict is not None


def test_completed_needs_no_verdict() -> None:
    view = audit().view()
    assert view.verdict is None
    assert view.now == "8 steps, 1:35"
    assert view.answer == ANSWER


def test_running_says_what_claude_does_now() -> None:
    view = running().view(live=LIVE)
    assert (view.state.word, view.now) == ("Running", "step 8, writing")
    assert view.gauge.remaining == 64_000 - 32_504 - 4_172
    assert [kind.live_tokens for kind in view.gauge.kinds] == [1_200, 0, 2_494, 478]
    assert view.gauge.kinds[0].text.startswith("at least ")
    assert view.gauge.kinds[3].text == "≈ 478"
    assert view.pace.text == "4,640 a step, about 6 more"
    live = view.steps[-1]
    assert (live.state, live.counted, live.cost, live.time) == (
        "live", "≥ 1,678", "≥ $0.078", "9.0 s",
    )  # fmt: skip
    assert (view.steps[6].counted, view.steps[6].streaming.results) == ("≈ 5,861", 2_494)
    assert sum(step.counted_tokens for step in view.steps) == view.gauge.used
    assert [(mark.kind, mark.text) for mark in live.marks] == [("streaming", "streaming")]
    assert view.answer == ""


def test_without_thinking_what_streams_is_an_estimate_and_no_bound() -> None:
    written = replace(LIVE.streaming, thinking=0)
    live = running().view(live=replace(LIVE, streaming=written)).steps[-1]
    assert live.counted == "≈ 478"


def test_a_summary_says_what_it_replaces() -> None:
    story = audit_until_step_8()
    story.add(HistoryRewritten(turn=1, step=7, removed_messages=14, remaining=31_000))
    step = story.view().steps[6]
    assert [(mark.kind, mark.text) for mark in step.marks if mark.kind == "summary"] == [
        ("summary", "replaces 14 messages")
    ]


def test_waiting_shows_the_whole_input_of_every_open_call() -> None:
    story = running()
    for call_id in ("p", "q"):
        story.add(
            ApprovalAsked(turn=1, step=8, call_id=call_id, name="edit_file",
                          why="It changes a file.", input={"path": "a" * 5_000, "count": 2})
        )  # fmt: skip
    story.add(
        ApprovalGiven(turn=1, step=8, call_id="q", name="edit_file", decision="once", by="person")
    )
    view = story.view()
    assert view.state.word == "Waiting for you"
    assert view.now == "step 8, clock paused"
    (asked,) = view.approvals
    assert asked.sentence == "Claude wants to run edit_file. It changes a file."
    assert asked.fields == (
        InputField(name="path", value="a" * 5_000, size="5,000 characters"),
        InputField(name="count", value="2"),
    )


def test_retrying_says_why_and_when() -> None:
    story = running()
    story.add(AttemptFailed(turn=1, step=8, attempt=1, why="529"))
    story.add(
        RetryScheduled(turn=1, step=8, attempt=2, attempts=4, wait_s=6, why="Claude is overloaded")
    )
    view = story.view()
    assert (view.state.word, view.now) == (
        "Retrying",
        "step 8, try 2 of 4 in 6 s: Claude is overloaded",
    )
    later = replace(LIVE, doing="retrying", retry_in_s=2.2)
    view = story.view(live=later)
    assert view.now == "step 8, try 2 of 4 in 2 s: Claude is overloaded"
    row = view.steps[-1]
    assert row.parts == (TitlePart(detail="retrying: Claude is overloaded"),)
    assert "sent" not in [mark.text for mark in row.marks]
    # In the panel, the row above says why.
    assert head_json(view, str)["now"] == "step 8, try 2 of 4 in 2 s"
    assert story.view(live=LIVE).state.name == "running"


def test_wrapping_up_says_that_it_is_the_last_answer() -> None:
    story = audit_until_step_8(replace(SETTINGS, ceilings=Ceilings(cost_usd="0.6")))
    view = story.ask(last_answer=True, held_usd=Decimal("0.1")).view(live=LIVE)
    assert view.state.word == "Wrapping up"
    assert view.now == "step 8, last answer"


def test_stopping_and_waiting_for_room_are_said() -> None:
    stopping = running().view(live=replace(LIVE, doing="stopping"))
    assert (stopping.state.word, stopping.now) == ("Stopping", "cancelling step 8")
    story = audit_until_step_8().add(WaitStarted(turn=1, step=8, account="the session's ceiling"))
    assert (
        story.view().now
        == "step 7, waiting for room under the session's ceiling; the clock is paused"
    )


def test_the_command_of_a_verdict_is_said_once() -> None:
    verdict = port().view("port").verdict
    assert verdict is not None
    assert (
        verdict.sentence
        == "Stopped at $9.88 of $10.00 in step 42: the next step could have cost up to $0.88."
    )
    assert (verdict.lead, verdict.command, verdict.after) == ("Go on with", PORT_COMMAND, "")


@pytest.mark.parametrize(
    ("detail", "sentence", "lead", "command", "after"),
    [
        ("halted; go on with `%c a`", "Halted.", "Go on with", "%c a", ""),
        ("halted: same error; tell Claude in a new cell, or `%c a`", "Halted: same error.",
         "Tell Claude in a new cell, or", "%c a", ""),
        ("no model; choose one: `%c a`", "No model.", "Choose one", "%c a", ""),
        ("no price; `%c a` runs without a ceiling", "No price.", "", "%c a",
         "runs without a ceiling."),
    ],
)  # fmt: skip
def test_verdicts_are_split_at_their_command(
    detail: str, sentence: str, lead: str, command: str, after: str
) -> None:
    verdict = split_verdict(detail, "%c a")
    assert (verdict.sentence, verdict.lead) == (sentence, lead)
    assert (verdict.command, verdict.after) == (command, after)


def interrupted(detail: str) -> TurnView:
    story = running().add(
        AttemptFailed(turn=1, step=8, attempt=1, why="cut off", unconfirmed_usd=Decimal("0.64"),
                      at_least_usd=Decimal("0.02"), unconfirmed_tokens=40_000)
    )  # fmt: skip
    return story.end("interrupted", "keyboard", detail, suggestions=(RESUME,)).view()


def test_unconfirmed_money_is_said_with_both_ends_but_not_twice() -> None:
    assert interrupted("stopped in step 8").unconfirmed == (
        "1 cut-off request: at least $0.02 (streamed), at most $0.64 (held)."
        " `%claude_task audit --release-held` releases what is held."
    )
    said_already = interrupted("stopped; cut off: at least $0.02 (streamed), at most $0.64 (held)")
    assert said_already.unconfirmed == "`%claude_task audit --release-held` releases what is held."
    assert ceiling(said_already, "cost").held == "$0.64 held"
    cut = said_already.steps[-1]
    assert (cut.number, cut.state, cut.cost) == (8, "cut", "up to $0.640")
    assert [mark.text for mark in cut.marks] == ["cut off"]


def test_a_step_says_that_a_tool_of_it_runs() -> None:
    def marks(story: Story) -> list[str]:
        return [mark.text for mark in story.view().steps[0].marks]

    story = Story().start().ask().reply([call("a", "glob", pattern="*")], calls=9)
    assert marks(story) == []
    story.add(ToolStarted(turn=1, step=1, call_id="a", name="glob", input={}))
    assert marks(story) == ["running"]
    story.add(ToolFinished(turn=1, step=1, call_id="a", name="glob", content="x"))
    assert marks(story) == []
    two = Story().start().ask().reply([call("a", "glob"), call("b", "run_tests")], calls=9)
    two.tool("a", "glob", "x")
    two.add(ToolStarted(turn=1, step=1, call_id="b", name="run_tests", input={}))
    assert marks(two) == ["running run_tests"]
    assert marks(two.end("interrupted", "keyboard", "stopped in step 1")) == []


def test_a_try_that_failed_by_itself_is_counted() -> None:
    story = Story().start().ask().add(AttemptFailed(turn=1, step=1, attempt=1, why="reset"))
    view = story.end("failed", "connection", "the connection broke").view()
    assert [mark.text for mark in view.steps[0].marks] == ["cut off", "1 failed try"]


def test_titles_come_from_the_calls() -> None:
    assert [step.title for step in audit().view().steps] == [
        "glob src/**/*.py and read_file README.md",
        "read_file \u00d73 src/auth.py, src/session.py, src/db.py",
        'grep "execute\\(" src/',
        "read_file src/config.py",
        "read_file tests/test_auth.py",
        "read_file src/templates/render.py",
        'grep "compare_digest|==.*token" src/ tests/',
        "answer",
    ]


def test_a_title_hides_no_part_of_a_call() -> None:
    story = Story().start().ask()
    story.reply([call("a", "shell", command="echo hello \x1b]; echo PWNED; \x07\ndone")], calls=90)
    assert story.view().steps[0].title == r"shell echo hello \x1b]; echo PWNED; \x07 done"


def test_marks_tell_errors_decisions_and_calls_that_did_not_run() -> None:
    story = Story().start().ask(last_answer=True)
    names = ("ok", "no", "bad", "late")
    story.reply([call(name, name) for name in names], calls=90, stop_reason="max_tokens")
    story.add(ApprovalGiven(turn=1, step=1, call_id="ok", name="ok", decision="task", by="person"))
    story.add(ApprovalGiven(turn=1, step=1, call_id="no", name="no", decision="denied", by="person",
                            reason="not now"))  # fmt: skip
    story.tool("ok", "ok", "done").tool(
        "no", "no", "denied by the reader", ran=False, is_error=True
    )
    story.tool("bad", "bad", "ValueError", is_error=True)
    story.tool("late", "late", "not run: the reply was cut off.", ran=False)
    (step,) = story.end().view().steps
    assert [mark.text for mark in step.marks] == [
        "approved for this task", "denied: not now", "error", "not run: the reply was cut off",
        "cut off", "last answer",
    ]  # fmt: skip
    assert step.notable


def test_results_stand_after_their_calls_with_their_measured_size() -> None:
    step = audit().view().steps[6]
    assert [block.kind for block in step.blocks] == ["thinking", "call", "result"]
    assert step.blocks[1].text == 'grep(pattern="compare_digest|==.*token", path="src/ tests/")'
    assert step.blocks[2].label == "result, 2,494 tokens"
    assert step.why == (
        "thinking 3,120, calls 247, text 0, results 2,494 · "
        "input 25,532 cached, 7,335 written, 6 fresh"
    )


def test_a_resumed_turn_goes_on_counting() -> None:
    story = audit_until_step_8().end("halted", "cost_ceiling", "halted")
    more = replace(SETTINGS, ceilings=Ceilings(cost_usd=8))
    story.settings = more
    story.start(resumed=True).ask().reply([said("done")], text=100, seconds=5).end(text="done")
    view = story.view()
    assert [step.number for step in view.steps] == [*range(1, 9)]
    assert view.state.name == "completed"
    assert ceiling(view, "cost").ceiling == "$8.00"
    assert ceiling(view, "time").spent == "1:17"


def test_changed_settings_hold_at_once_but_not_after_the_end() -> None:
    other = replace(SETTINGS, effort="low", budget=80_000)
    change = SettingsChanged(turn=1, settings=other)
    assert running().add(change).view().effort == "effort low"
    assert audit().add(change).view().effort == "effort high"


def test_the_simulator_is_named_with_its_reason_and_notes_are_shown() -> None:
    story = audit_until_step_8(replace(SETTINGS, simulated="no API key found"))
    view = story.add(NoticePosted(turn=1, text="9,000 of 64,000 left")).view(live=LIVE)
    assert view.simulated.startswith("Simulated: no API key found. A script answers")
    assert view.notes == ("9,000 of 64,000 left",)


def test_the_users_own_price_is_said_and_used() -> None:
    row = {"input": 4, "output": 20, "cache_read": "0.2", "write_5m": 5, "write_1h": 8}
    story = audit(replace(SETTINGS, user_prices=True))
    assert story.view().meters.source == "Your price for claude-opus-5-5."
    assert {row.cost for row in story.view().meters.rows} == {""}
    own = {"claude-opus-5-5": user_prices("claude-opus-5-5", row)}
    view = view_turn(story.fold(prices=own))
    assert [row.cost for row in view.meters.rows] == ["$0.0245", "$0.1909", "$0.0002", "$0.3329"]


def test_prices_that_have_changed_since_leave_only_the_booked_sum() -> None:
    story = Story().start().ask()
    view = story.reply([said("x")], text=100, cost_usd=Decimal("0.5")).end(text="x").view()
    assert {row.cost for row in view.meters.rows} == {""}
    assert view.meters.total == "$0.5000"


def test_estimated_kinds_carry_their_mark() -> None:
    story = Story().start().ask()
    story.reply([said("x"), call("a", "b")], calls=50, text=20, split_estimated=True)
    kinds = story.view().gauge.kinds
    assert [kind.text for kind in kinds] == ["0", "≈ 50", "0", "≈ 20"]


def test_a_turn_that_has_only_begun_can_be_shown() -> None:
    view = Story().start().view()
    assert (view.state.name, view.now) == ("running", "step 1, working")
    assert view.gauge.number == "64,000"
    assert view.pace.text == ""


def test_the_report_names_the_folder_and_what_was_filled_in() -> None:
    story = Story().start(inserted=("frame", "n")).reply([said("Done.")])
    view = story.view()
    assert view.scope == "files below ~/project; filled in: frame, n"
