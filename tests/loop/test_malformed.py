"""Replies that no model should give: what is run of them, answered, and sent back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic import Task, tool
from budget_magic.events import (
    ApprovalAsked,
    AttemptFailed,
    StepFinished,
    ToolFinished,
    ToolStarted,
)
from budget_magic.events.codec import from_json, to_json
from budget_magic.loop.malformed import BAD_ID, BAD_INPUT, BAD_NAME, SAME_ID
from budget_magic.simulator import Reply, Simulator
from budget_magic.tools.approval import Call
from tests.loop.running import facts, lookup, note, results, task_on
from tests.support import examples
from tests.wire.raw import Event, RawFirst, block, call, end, reply, start

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")

TEXT: Event = {"type": "text", "text": "I look."}
DEEP = '{"a":' * 150 + "1" + "}" * 150


def nested(depth: int) -> dict[str, Any]:
    """An object so many levels deep."""
    return {} if depth == 0 else {"a": nested(depth - 1)}


def played(*replies: list[Event], **options: Any) -> tuple[Task, RawFirst]:
    """A task whose first turn meets these replies, then one of the simulator."""
    server = RawFirst(replies, Simulator([Reply(text="Done."), Reply(text="And more.")]))
    task = task_on(Simulator([]), client=server.client(), **options)
    task.run("Look.")
    return task, server


def is_valid(server: RawFirst) -> bool:
    """Whether every request was JSON that the API can read."""
    bodies = [json.loads(body, parse_constant=pytest.fail) for body in server.bodies]
    return bool(bodies) and all(
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode() for body in bodies
    )


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (call(id=3), BAD_ID),
        (call(id=None), BAD_ID),
        (call(id=""), BAD_ID),
        (call(id="a b\n"), BAD_ID),
        (call(id="toolu_1\n"), BAD_ID),
        (call(id="x" * 1_000), BAD_ID),
        (call(name=5), BAD_NAME),
        (call(name=""), BAD_NAME),
        (call(name="look\ud800up"), BAD_NAME),
        (call(input=None), BAD_INPUT),
        (call(input=[1]), BAD_INPUT),
        (call(input="word"), BAD_INPUT),
        (call(input={"word": float("nan")}), BAD_INPUT),
        (call(input={"word": "\ud800"}), BAD_INPUT),
        (call(input={"\ud800": 1}), BAD_INPUT),
        (call(input=nested(150)), BAD_INPUT),
        (call('{"word": NaN}'), BAD_INPUT),
        (call('{"word": [-Infinity]}'), BAD_INPUT),
        (call('{"word": 1e999}'), BAD_INPUT),
        (call('{"word": "bud'), BAD_INPUT),
        (call('{"word": "budget"'), BAD_INPUT),
        (call('{"word": "budget"}{"word": "x"}'), BAD_INPUT),
        (call("[1]"), BAD_INPUT),
        (call("null"), BAD_INPUT),
        (call(DEEP), BAD_INPUT),
        ([{"type": "tool_use"}], BAD_ID),
        ([{"type": "tool_use", "id": "toolu_1", "name": "lookup"}], BAD_INPUT),
    ],
)
def test_a_malformed_call_is_answered_never_run_and_never_sent_back(
    made: list[Any], why: str
) -> None:
    task, server = played(reply([TEXT], made))

    (answer,) = facts(task, ToolFinished)
    assert (answer.content, answer.is_error, answer.ran) == (f"not run: {why}", True, False)
    assert not facts(task, ToolStarted)
    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.text) == ("completed", "Done.")
    assert task.run("And now?").text == "And more."
    assert is_valid(server)


def test_a_second_call_with_the_same_id_is_answered_and_the_first_one_runs() -> None:
    first, second = call(input={"word": "one"}), call(input={"word": "two"})

    task, _ = played(reply(first, second))

    assert results(task) == [f"not run: {SAME_ID}", "one is a word"]
    ids = [one["id"] for one in task.messages[1]["content"]]
    assert ids[0] == "toolu_1"
    assert len(set(ids)) == 2
    assert [one["tool_use_id"] for one in task.messages[2]["content"]] == ids


def test_an_id_of_an_earlier_reply_is_replaced_and_the_call_runs() -> None:
    one, two = call(input={"word": "one"}), call(input={"word": "two"})

    task, _ = played(reply(one), reply(two))

    assert results(task) == ["one is a word", "two is a word"]
    assert task.messages[1]["content"][0]["id"] != task.messages[3]["content"][0]["id"]


def test_nobody_is_asked_about_a_malformed_call() -> None:
    asked: list[Call] = []

    def approve(made: Call) -> bool:
        asked.append(made)
        return True

    bad = call(name="note", id="toolu_2", input=[1])
    task, _ = played(reply(bad), tools=[note], approve=approve)

    assert not asked
    assert not facts(task, ApprovalAsked)
    assert results(task) == [f"not run: {BAD_INPUT}"]


DIRECT = {"type": "direct"}
BY_CODE = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"caller": DIRECT}, {"caller": DIRECT}),
        ({"caller": BY_CODE}, {"caller": BY_CODE}),
        ({"caller": None}, {}),
        ({"caller": "direct"}, {}),
        ({"caller": {}}, {}),
        ({"caller": {"type": ["direct"]}}, {}),
        ({"caller": {"type": "of_tomorrow"}}, {}),
        ({"caller": {"type": "direct", "tool_id": "srvtoolu_1"}}, {}),
        ({"caller": {"type": "code_execution_20260120"}}, {}),
        ({"caller": {**BY_CODE, "tool_id": 5}}, {}),
        ({"caller": {**BY_CODE, "tool_id": "a b"}}, {}),
        ({"cache_control": {"type": "ephemeral"}}, {}),
        ({"cache_control": "yes", "caller": DIRECT}, {"caller": DIRECT}),
        ({"cache_control": {"type": "of_tomorrow", "ttl": -1}}, {}),
        ({"of_tomorrow": 1, "citations": []}, {}),
    ],
)
def test_fields_of_a_call_that_the_api_may_refuse_are_not_sent_back(
    given: Event, kept: Event
) -> None:
    task, server = played(reply(call(**given, input={"word": "budget"})))

    assert results(task) == ["budget is a word"]
    (sent,) = json.loads(server.bodies[-1])["messages"][1]["content"]
    assert sent == {**call(input={"word": "budget"})[0], **kept}


def test_fields_of_a_text_that_the_api_may_refuse_are_not_sent_back() -> None:
    odd = {"cache_control": {"type": "of_tomorrow"}, "citations": "none", "of_tomorrow": 1}
    task, server = played(reply([{**TEXT, **odd}], call(input={"word": "budget"})))

    assert results(task) == ["budget is a word"]
    assert json.loads(server.bodies[-1])["messages"][1]["content"][0] == TEXT


def test_well_formed_calls_beside_a_malformed_one_run() -> None:
    good = call('{"word": ', '"budget"}', id="toolu_2")

    task, _ = played(reply(call(input=7), good))

    assert sorted(results(task)) == ["budget is a word", f"not run: {BAD_INPUT}"]


def test_calls_of_a_reply_that_says_it_ended_do_not_run_and_the_task_goes_on() -> None:
    task, server = played(reply([TEXT], call(input={"word": "x"}), stop_reason="end_turn"))

    assert not facts(task, ToolStarted)
    assert results(task) == ["not run: the turn ended first"]
    assert task.run("And now?").text == "Done."
    assert is_valid(server)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_9", "content": []},
        {"type": "of_tomorrow", "x": 1},
        {"type": None},
        {"type": ["text"]},
        {"no": "type"},
        {"type": "text", "text": None},
        {"type": "text"},
        {"type": "text", "text": "half \ud83d of a pair", "citations": float("nan")},
    ],
)
def test_a_block_that_cannot_be_sent_back_is_left_out(odd: Event) -> None:
    task, server = played(reply([odd], call(input={"word": "budget"})))

    assert results(task) == ["budget is a word"]
    assert task.run("And now?").text == "And more."
    assert is_valid(server)


@pytest.mark.parametrize(
    "thought",
    [
        {"type": "thinking", "thinking": "Hm \ud800.", "signature": "c2ln"},
        {"type": "thinking", "thinking": None, "signature": "c2ln"},
        {"type": "thinking", "thinking": "Hm.", "signature": 5},
        {"type": "redacted_thinking", "data": None},
    ],
)
def test_a_signed_block_that_cannot_be_sent_keeps_the_reply_out_of_the_history(
    thought: Event,
) -> None:
    task, server = played(reply([thought], [TEXT], stop_reason="end_turn"))

    assert [one["role"] for one in task.messages] == ["user"]
    assert task.run("And now?").text == "Done."
    assert is_valid(server)


def start_again(events: list[Event]) -> list[Event]:
    """The events with a second beginning in their middle."""
    return [*events[:2], start(), *events[2:]]


@pytest.mark.parametrize(
    "events",
    [
        [start(content=None), *block(TEXT), *end("end_turn")],
        [start(), *block(None), *end("end_turn")],
        [start(), *block(7), *end("end_turn")],
        [start(), *block(TEXT, {"type": "text_delta", "text": 5}), *end("end_turn")],
        [start(), *block(TEXT, {"type": "text_delta", "text": "x"}, index=5), *end("end_turn")],
        [start(), *block(TEXT, {"type": "text_delta", "text": "x"}, index="x"), *end("end_turn")],
        [start(), *block(TEXT, {"type": "text_delta", "text": "x"}, index=None), *end("end_turn")],
        [start(), *block(TEXT, {"type": "text_delta", "text": "x"}, index=[0]), *end("end_turn")],
        [start(), {"type": "message_delta", "usage": {"output_tokens": 3}}, *end()[1:]],
        [start(), {"type": "message_delta", "delta": {"stop_reason": "x"}}, *end()[1:]],
        [{"type": "message_start", "message": None}, *block(TEXT), *end()],
        [*block(TEXT), *end("end_turn")],
        [start(), *block(call()[0], {"type": "input_json_delta", "partial_json": "{a"}), *end()],
        # The SDK refuses what no text can hold before a reply is whole.
        [start(), *block(*call('{"word": "\\ud800"}')), *end()],
    ],
)
def test_a_stream_that_makes_no_sense_is_a_broken_connection(events: list[Event]) -> None:
    task, server = played(events)

    (failed,) = facts(task, AttemptFailed)
    assert failed.why.startswith("the stream could not be read: ")
    assert failed.unconfirmed_usd > 0
    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.text) == ("completed", "Done.")
    assert is_valid(server)


@pytest.mark.parametrize(
    "error", [{"type": ["x"], "message": 5}, {"type": None, "message": None}, "x", None, [1]]
)
def test_an_error_of_any_form_ends_the_turn_and_the_task_goes_on(error: Any) -> None:
    task, server = played([start(), {"type": "error", "error": error}])

    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.reason) == ("failed", "api_error")
    assert task.resume().text == "Done."
    assert is_valid(server)


def test_a_server_that_only_makes_no_sense_ends_the_turn_and_the_task_goes_on() -> None:
    task, server = played(*[[start(content=None), *block(TEXT), *end("end_turn")]] * 4)

    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.reason) == ("failed", "connection")
    assert task.resume().text == "Done."
    assert is_valid(server)


@pytest.mark.parametrize(
    "events",
    [
        start_again(reply([TEXT], stop_reason="end_turn")),
        [start(), *block(TEXT, {"type": "of_tomorrow", "x": 1}), *end("end_turn")],
        [start(), {"type": "of_tomorrow"}, *block(TEXT), *end("end_turn")],
        [start(), *block(TEXT, index=9)[:1], *end("end_turn")],
        reply([TEXT], stop_reason=None),
        reply([TEXT], stop_reason=7),
    ],
)
def test_events_that_nobody_knows_are_passed_over(events: list[Event]) -> None:
    task, server = played(events)

    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.text) == ("completed", "I look.")
    assert task.run("And now?").text == "Done."
    assert is_valid(server)


texts = st.text(st.characters(), max_size=5) | st.sampled_from(["toolu_1", "lookup", "\ud800", ""])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda one: st.lists(one, max_size=3) | st.dictionaries(texts, one, max_size=3),
    max_leaves=8,
)
inputs = st.just({"word": "budget"}) | values
calls = st.fixed_dictionaries(
    {"type": st.just("tool_use")},
    optional={
        "id": st.sampled_from(["toolu_1", "toolu_2", "call_1"]) | values,
        "name": st.sampled_from(["lookup", "count"]) | values,
        "input": inputs,
    },
)
others = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["text", "thinking", "server_tool_use", "web_search_tool_result", "of_tomorrow"]
        )
        | values,
        "text": values,
        "id": values,
        "name": values,
        "input": values,
        "thinking": values,
    },
)
pieces = st.sampled_from(["", "{", '{"word": ', '"x"}', "NaN}", "[]", '{"word": "x"}'])
blocks = st.tuples(calls | others, st.lists(pieces, max_size=2))


@settings(max_examples=examples(30))
@given(st.lists(blocks, max_size=5), st.sampled_from(["tool_use", "end_turn", "pause_turn", 3]))
def test_whatever_a_reply_holds_no_call_runs_twice_and_the_task_goes_on(
    made: list[tuple[Any, list[str]]], stop_reason: Any
) -> None:
    ran: list[str] = []

    @tool(reads=True)
    def count(word: str = "") -> str:
        ran.append(word)
        return "counted"

    odd = reply(
        *(
            [one, *({"type": "input_json_delta", "partial_json": text} for text in streamed)]
            for one, streamed in made
        ),
        stop_reason=stop_reason,
    )
    server = RawFirst([odd], Simulator([Reply(text="Done.")] * 6))
    task = task_on(Simulator([]), client=server.client(), tools=[lookup, count])

    task.run("Look.")
    outcome = task.run("And now?")

    assert outcome.state == "completed", outcome.detail
    started = [fact.call_id for fact in facts(task, ToolStarted)]
    assert len(started) == len(set(started))
    assert len(ran) <= sum(1 for one, _ in made if one.get("name") == "count")
    assert is_valid(server)
    assert all(from_json(to_json(one)) == one for one in task.events)
    assert facts(task, StepFinished)
    assert task._repr_mimebundle_()
