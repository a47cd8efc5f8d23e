"""Where the tokens of tool results and what streamed before a stop are shown."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from budget_magic.events import ApprovalGiven, AttemptFailed, NoticePosted, RetryScheduled
from budget_magic.meter import Kinds
from budget_magic.report.gauges import kinds_sum
from budget_magic.report.view_models import LiveState, StepView, TurnView
from tests.report.records import RESUME, Story, audit, call, said

LIVE = LiveState(step=2, doing="thinking", elapsed_s=9, streaming=Kinds(text=40, results=700))


def asked() -> Story:
    """A reply with a call that was answered."""
    story = Story().start().ask()
    story.reply([call("a", "read_file", path="x")], thinking=60, calls=40)
    return story.tool("a", "read_file", "a line\n" * 300)


def figures(view: TurnView) -> list[tuple[str, int]]:
    return [(step.counted, step.tokens.results) for step in view.steps]


def assert_rows_add_up(view: TurnView) -> None:
    assert sum(step.counted_tokens for step in view.steps) == view.gauge.used
    for step in view.steps:
        assert kinds_sum(step.tokens) + kinds_sum(step.streaming) == step.counted_tokens


def test_results_count_in_the_row_whose_call_brought_them() -> None:
    view = asked().ask().reply([said("x")], text=30, results=680).end(text="x").view()
    assert figures(view) == [("780", 680), ("30", 0)]
    assert "results 680 ·" in view.steps[0].why
    assert view.steps[0].blocks[-1].label == "result, 680 tokens"
    assert_rows_add_up(view)


def test_until_they_are_measured_they_are_an_estimate() -> None:
    story = asked()
    before = story.view(live=replace(LIVE, step=1, streaming=Kinds(results=700)))
    assert [step.counted for step in before.steps] == ["≈ 800"]
    assert "results ≈ 700 ·" in before.steps[0].why
    assert_rows_add_up(before)
    view = story.ask().view(live=LIVE)
    assert [step.counted for step in view.steps] == ["≈ 800", "≈ 40"]
    assert [step.streaming.results for step in view.steps] == [700, 0]
    assert_rows_add_up(view)


def test_results_that_were_never_sent_do_not_count() -> None:
    view = asked().end("halted", "cost_ceiling", "halted", suggestions=(RESUME,)).view()
    assert figures(view) == [("100", 0)]
    assert "results not sent ·" in view.steps[0].why
    assert_rows_add_up(view)


def test_a_resumed_turn_shows_them_where_they_were_asked_for() -> None:
    story = asked().ask().add(AttemptFailed(turn=1, step=2, attempt=1, why="cut off"))
    story.end("interrupted", "keyboard", "stopped")
    story.step = 1
    story.start(resumed=True).ask().reply([said("x")], text=30, results=680).end(text="x")
    view = story.view()
    assert [(step.number, step.state, step.counted) for step in view.steps] == [
        (1, "done", "780"), (2, "cut", "0"), (2, "done", "30"),
    ]  # fmt: skip
    assert_rows_add_up(view)


def test_results_of_an_earlier_turns_calls_stay_in_the_row_that_measured_them() -> None:
    story = asked().end("interrupted", "keyboard", "stopped")
    story.start().ask().reply([call("b", "glob")], calls=20, results=680)
    story.tool("b", "glob", "x").ask().reply([said("x")], text=30, results=9).end(text="x")
    view = story.view()
    assert figures(view) == [("709", 689), ("30", 0)]
    assert view.steps[0].blocks[-1].label == "result, 9 tokens"
    assert sum(step.counted_tokens for step in view.steps) == 739


def test_an_estimated_size_is_marked_in_its_own_row() -> None:
    story = asked().ask()
    view = story.reply([said("x")], text=3, results=5, tool_result_tokens_estimated=True).view()
    assert "results ≈ 5 ·" in view.steps[0].why
    assert "results 0 ·" in view.steps[1].why


def stopped(text: str, *, final: str | None = None) -> Story:
    """A turn that was stopped while it wrote."""
    story = asked().ask()
    story.add(AttemptFailed(turn=1, step=2, attempt=1, why="cut off", streamed_text=text,
                            unconfirmed_usd=Decimal("0.1")))  # fmt: skip
    final = f"{text}\n\n[cut off here]" if final is None else final
    return story.end("interrupted", "keyboard", "stopped in step 2", text=final)


def cut_step(view: TurnView) -> StepView:
    (step,) = [step for step in view.steps if step.state == "cut"]
    return step


def test_text_that_streamed_before_a_stop_is_the_answer_and_marked() -> None:
    view = stopped("Two findings so far: **one** and").view()
    (block,) = cut_step(view).blocks
    assert (block.kind, block.text, block.cut_off) == (
        "text", "Two findings so far: **one** and", True,
    )  # fmt: skip
    assert view.answer == "Two findings so far: **one** and"
    assert view.answer_cut_off


def test_a_step_that_was_cut_before_it_wrote_has_no_text() -> None:
    view = stopped("", final="Earlier text.").view()
    assert cut_step(view).blocks == ()
    assert (view.answer, view.answer_cut_off) == ("Earlier text.", False)


def test_what_a_failed_try_streamed_gives_way_to_the_reply() -> None:
    story = Story().start().ask()
    story.add(AttemptFailed(turn=1, step=1, attempt=1, why="reset", streamed_text="Half"))
    story.add(RetryScheduled(turn=1, step=1, attempt=2, attempts=4, wait_s=1, why="reset"))
    view = story.reply([said("Whole.")], text=3).end(text="Whole.").view()
    assert [block.text for block in view.steps[0].blocks] == ["Whole."]
    assert not view.answer_cut_off


def test_the_prompt_stands_in_the_view_cleaned() -> None:
    assert audit().view().prompt == ""
    view = Story().start(prompt="Audit\x1b[31m this.\r\n").view()
    assert view.prompt == "Audit this."
    resumed = Story().start(prompt="Audit.").end("interrupted", "keyboard").start(resumed=True)
    assert resumed.view().prompt == "Audit."


def unattended() -> Story:
    """A turn in which two calls were denied because no user was attached."""
    story = (
        Story()
        .start(prompt="Tidy up.")
        .ask()
        .reply([call("a", "shell"), call("b", "edit")], calls=9)
    )
    for call_id, name in (("a", "shell"), ("b", "edit")):
        reason = f"no interactive user is attached to approve {name}; `--approve all` runs it"
        story.add(ApprovalGiven(turn=1, step=1, call_id=call_id, name=name, decision="denied",
                                by="nobody", reason=reason))  # fmt: skip
    return story


def test_calls_denied_because_no_user_is_attached_stand_first_in_the_notes() -> None:
    assert unattended().add(NoticePosted(turn=1, text="a note")).view().notes == (
        "No user is attached to approve shell, edit: 2 calls were denied; `--approve all` runs it",
        "As it was at the end of step 1; what came later is not in this report.",
        "a note",
    )
