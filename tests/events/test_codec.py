"""Records survive the way to JSON and back, and what is no record is refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic.events import (
    Ceilings,
    Fact,
    NoticePosted,
    Record,
    StepFinished,
    TurnSettings,
    TurnStarted,
)
from budget_magic.events.codec import UnreadableRecord, from_json, to_json
from budget_magic.simulator import Simulator, drop
from tests.loop.running import steps, task_on

AT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
NOTED = Record(id="a", task="audit", sequence=1, at=AT, fact=NoticePosted(turn=1, text="hello"))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.text(max_size=4), inside),
    max_leaves=4,
)
DOLLARS = st.decimals(0, 1_000, places=9, allow_nan=False, allow_infinity=False)
st.register_type_strategy(Decimal, DOLLARS)
st.register_type_strategy(int, st.integers(0, 10**9))
st.register_type_strategy(float, st.floats(0, 1e6))
st.register_type_strategy(
    Ceilings,
    st.builds(
        Ceilings,
        cost_usd=st.none() | DOLLARS,
        total_tokens=st.none() | st.integers(0, 10**7),
        steps=st.none() | st.integers(0, 500),
        elapsed_s=st.none() | st.floats(0, 1e6),
    ),
)


def made(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any fact of one kind: types are drawn from, what holds `Any` gets JSON."""
    hints = get_type_hints(kind)
    parts = {
        part.name: JSON_FIELDS[hints[part.name]]
        if hints[part.name] in JSON_FIELDS
        else st.from_type(hints[part.name])
        for part in fields(kind)
    }
    return st.builds(kind, **parts)


class _JsonFields(dict[Any, st.SearchStrategy[Any]]):
    """Strategies of the fields that hold the API's JSON, found by their type."""

    def __contains__(self, hint: object) -> bool:
        return "Any" in str(hint)

    def __missing__(self, hint: Any) -> st.SearchStrategy[Any]:
        objects = st.dictionaries(st.text(max_size=4), JSON, max_size=3)
        return st.lists(objects, max_size=2).map(tuple) if "tuple" in str(hint) else objects


JSON_FIELDS = _JsonFields()
FACTS = st.one_of([made(kind) for kind in get_args(Fact)])


@given(
    FACTS,
    st.text(max_size=9),
    st.integers(1, 10**6),
    st.datetimes(timezones=st.just(UTC)),
)
def test_a_record_comes_back_equal_from_its_json(
    fact: Fact, name: str, sequence: int, at: datetime
) -> None:
    record = Record(id="x", task=name, sequence=sequence, at=at, fact=fact)

    assert from_json(to_json(record)) == record


def test_every_record_of_a_real_run_comes_back_equal() -> None:
    task = task_on(Simulator(steps(3), faults=[drop(on=1)]), tags={"pr": "123"})
    task.run("Look.")

    again = [from_json(to_json(record)) for record in task.events]

    assert again == task.events


def test_every_kind_of_fact_has_a_tag_of_its_own() -> None:
    tags = [get_args(get_type_hints(kind)["kind"]) for kind in get_args(Fact)]

    assert len(set(tags)) == len(tags)
    assert all(len(tag) == 1 for tag in tags)


def test_dollars_are_decimal_strings_and_times_are_iso() -> None:
    settings = _settings(Decimal("0.10"))
    record = replace(NOTED, fact=TurnStarted(turn=1, settings=settings))

    value = written(record)

    assert value["version"] == 1
    assert value["at"] == "2026-11-22T12:30:00Z"
    assert value["fact"]["kind"] == "turn_started"
    assert value["fact"]["settings"]["ceilings"]["cost_usd"] == "0.10"


def written(record: Record) -> dict[str, Any]:
    """The record as JSON values."""
    value: dict[str, Any] = json.loads(to_json(record))
    return value


def _settings(cost_usd: Decimal) -> TurnSettings:
    return TurnSettings(
        client="anthropic",
        simulated=None,
        model="claude-opus-5-5",
        effort="high",
        budget=None,
        max_tokens=1,
        ceilings=Ceilings(cost_usd=cost_usd),
        system="",
        tools=(),
        root="",
        approve="ask",
        wrap_up=True,
    )


def test_a_field_that_is_not_known_yet_is_left_aside() -> None:
    value = written(NOTED)
    value["fact"]["colour"] = "red"

    assert from_json(json.dumps(value)) == NOTED


@pytest.mark.parametrize("version", [None, 0, 2, "1"])
def test_another_version_is_refused(version: object) -> None:
    with pytest.raises(UnreadableRecord, match="version"):
        from_json(json.dumps({**written(NOTED), "version": version}))


@pytest.mark.parametrize(
    "change",
    [
        {"fact": {"kind": "flown", "turn": 1}},
        {"fact": {"kind": "notice_posted", "turn": "1", "text": "hello"}},
        {"fact": {"kind": "notice_posted", "turn": True, "text": "hello"}},
        {"fact": {"kind": "notice_posted", "turn": 1}},
        {"fact": {}},
        {"fact": None},
        {"at": "yesterday"},
        {"sequence": None},
    ],
)
def test_what_is_no_record_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UnreadableRecord, match="not a valid record"):
        from_json(json.dumps({**written(NOTED), **change}))


@pytest.mark.parametrize("text", ["", "[]", "{}", "yesterday", '{"version": 1'])
def test_a_text_that_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(UnreadableRecord):
        from_json(text)


@pytest.mark.parametrize("name", ["cost_usd", "unconfirmed_usd", "unconfirmed_tokens"])
def test_an_amount_below_zero_would_lift_a_ceiling_and_is_refused(name: str) -> None:
    task = task_on(Simulator(steps(0)))
    task.run("Look.")
    (record,) = (one for one in task.events if isinstance(one.fact, StepFinished))
    written = json.loads(to_json(record))
    written["fact"][name] = "-100" if name.endswith("usd") else -100

    with pytest.raises(UnreadableRecord, match=rf"fact.{name}: -100 is below 0"):
        from_json(json.dumps(written))
