"""The arguments of `Task` and `Ceilings` are checked at once, in the words of Python."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, fields
from decimal import Decimal
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from hypothesis import given
from hypothesis import strategies as st

from budget_magic import Ceilings, Task
from budget_magic.errors import ConfigurationError
from budget_magic.events import StepStarted
from budget_magic.events.codec import from_json, to_json
from budget_magic.session import Session, default_session, tasks
from budget_magic.session.host import PythonHost
from budget_magic.settings import Defaults, Settings, evolve
from budget_magic.simulator import Reply, Simulator
from tests.loop.running import facts, task_on

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"root": "/nowhere/at/all"}, "root /nowhere/at/all: there is no such folder; create it"),
    ({"root": "/nowhere/at/all", "tools": "none"}, "root /nowhere/at/all: there is no such"),
    ({"root": __file__}, f"root {__file__} is a file; name the folder it is in"),
    ({"root": "a\0b"}, r"root 'a\x00b': give the path of a folder"),
    ({"root": 5}, "root 5: give the path of a folder, such as ."),
    ({"tools": [5]}, "5 is not a tool; give a function, a Tool or a name"),
    ({"tools": ["shell"]}, "tools shell is not part of this version; use files or functions"),
    ({"tools": ["look"]}, "tools look: pass the object look itself, not its name"),
    ({"tools": 5}, 'tools 5: give names of tools and functions, such as ["files", look]'),
    ({"approve": "yes"}, "approve 'yes': choose one of ask, all, none"),
    ({"approve": lambda: True}, ">: give a function that takes one argument, the call"),
    ({"client": object()}, "object is not a client: pass an AsyncAnthropic or another"),
    ({"client": Anthropic(api_key="k")}, "Anthropic is a synchronous client; use its async"),
    ({"client": AsyncAnthropic}, "AsyncAnthropic is a class: pass a client, such as"),
    ({"client": "mine"}, "client 'mine': choose auto or simulator, or give a client object"),
    ({"tags": {"pr": 123}}, "tags {'pr': 123}: give a dict of texts, such as"),
    ({"tags": ["pr"]}, "tags ['pr']: give a dict of texts, such as"),
    ({"system": 5}, "system 5: give a text"),
    ({"ceilings": {"steps": 3}}, "ceilings {'steps': 3}: give a Ceilings, such as"),
    ({"max_steps": -1}, "max_steps -1: give a whole number"),
    ({"max_cost": float("nan")}, "max_cost nan: give US dollars"),
    ({"budget": 100}, "below the API's minimum of 20,000; use `budget=20000` or more"),
    ({"max_tokens": 0}, "max_tokens 0: give at least 1"),
    ({"max_tokens": 10**7}, "max_tokens 10,000,000 is more than claude-opus-5-5 can write"),
    ({"compact_at": 2_000}, "compact_at 2,000: a summary there would cost more than it saves"),
    ({"model": "gpt"}, "`ceilings=Ceilings(cost_usd=None)` runs without one"),
    ({"sinks": 5}, "sinks is of type int; give a list"),
    ({"session": 5}, "the session is 5; pass a Session"),
    ({"client_name": 5}, "client_name 5: give a text"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG, ids=[one for _, one in WRONG])
def test_an_argument_that_cannot_work_is_refused_where_it_is_given(
    arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Task("audit", **{"client": "simulator", **arguments})

    assert sentence in str(refused.value)
    assert "--" not in str(refused.value)
    assert "%" not in str(refused.value)
    assert "audit" not in tasks()


def test_required_sinks_that_are_no_list_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="required_sinks is of type int; give a list"):
        Session(required_sinks=5)  # type: ignore[arg-type] # what a user may write


class Configured(PythonHost):
    """Python with configured defaults, as `%config` gives them."""

    def defaults(self) -> Defaults:
        """Ceilings other than the documented ones."""
        return evolve(Defaults(), {"max_cost": "0.75", "max_steps": 7, "max_time": None})


def test_ceilings_that_are_not_given_keep_the_configured_defaults() -> None:
    default_session().host = Configured()

    task = task_on(Simulator([Reply(text="Done.")]), ceilings=Ceilings(steps=3))

    assert task.settings.ceilings == Ceilings(cost_usd="0.75", steps=3, elapsed_s=None)
    assert Task("open", ceilings=Ceilings(cost_usd=None)).settings.ceilings == Ceilings(
        cost_usd=None, steps=7, elapsed_s=None
    )
    # A value that is given counts, even one that equals the documented default.
    assert Task("same", ceilings=Ceilings(cost_usd=5)).settings.ceilings.cost_usd == 5
    assert Task("none", ceilings=Ceilings()).settings.ceilings == Task("plain").settings.ceilings
    assert task.run("Look.").state == "completed"
    assert facts(task, StepStarted)


def test_ceilings_that_are_changed_keep_those_of_the_task() -> None:
    task = Task("audit", ceilings=Ceilings(cost_usd=2, steps=3))

    task.change(ceilings=Ceilings(steps=9), max_time=60)

    assert task.settings.ceilings == Ceilings(cost_usd=2, steps=9, elapsed_s=60)


@pytest.mark.parametrize(
    "given", [{"cost_usd": 10**30}, {"cost_usd": "1e400"}, {"total_tokens": 10**30}]
)
def test_a_ceiling_beyond_any_bill_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="such as"):
        Ceilings(**given)


def test_dollars_are_kept_to_the_billionth() -> None:
    assert Ceilings(cost_usd=0.1 + 0.2).cost_usd == Decimal("0.3")
    assert Ceilings(cost_usd="1e-400").cost_usd == 0


def test_texts_that_no_request_can_hold_are_mended_where_they_are_given() -> None:
    simulator = Simulator([Reply(text="Done.")])
    task = task_on(simulator, tools=[], system="a\ud800b", tags={"pr": "1\udcff"})

    outcome = task.run("Look at a\udcff.py")  # as `os.listdir` gives names that are not UTF-8

    assert outcome.state == "completed"
    assert task.messages[0]["content"][0]["text"] == "Look at a\ufffd.py"
    assert task.settings.tags == {"pr": "1\ufffd"}
    assert simulator.requests[0].body["system"][0]["text"] == "a\ufffdb"


def test_a_tool_that_no_request_can_hold_holds_nothing() -> None:
    def look(word: str) -> str:
        """Look."""
        return word

    look.__doc__ = "Look \ud800 up."
    simulator = Simulator([Reply(text="Done.")])

    outcome = task_on(simulator, tools=[look]).run("Look.")

    assert (outcome.state, outcome.reason) == ("failed", "configuration")
    assert "half of a surrogate pair, which UTF-8 cannot encode" in outcome.detail
    assert outcome.total.unconfirmed_usd == 0
    assert simulator.requests == []


def test_ceilings_alone_are_the_documented_ones() -> None:
    assert repr(Ceilings(steps=3)) == (
        "Ceilings(cost_usd=Decimal('5'), total_tokens=1000000, steps=3, elapsed_s=1800.0)"
    )
    assert Settings(ceilings=Ceilings(steps=3)).ceilings.cost_usd == Decimal(5)
    assert [part.name for part in fields(Ceilings)] == [
        "cost_usd", "total_tokens", "steps", "elapsed_s",
    ]  # fmt: skip
    with pytest.raises(FrozenInstanceError):
        Ceilings().steps = 4  # type: ignore[misc] # what a user may write


GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "cost_usd": st.none() | st.decimals(0, 100, places=2),
        "total_tokens": st.none() | st.integers(0, 10**7),
        "steps": st.none() | st.integers(0, 500),
        "elapsed_s": st.none() | st.floats(0, 1e6),
    },
)


@given(GIVEN, GIVEN)
def test_ceilings_survive_copies_with_what_was_given(
    some: dict[str, Any], others: dict[str, Any]
) -> None:
    ceilings, base = Ceilings(**some), Ceilings(**others)
    pickled = pickle.loads(pickle.dumps(ceilings))  # noqa: S301 - our own

    for copied in (pickled, copy.deepcopy(ceilings), copy.copy(ceilings)):
        assert copied == ceilings
        assert hash(copied) == hash(ceilings)
        assert copied.over(base) == ceilings.over(base) == Ceilings(**{**others, **some})


def test_ceilings_of_a_record_are_all_given() -> None:
    task = task_on(Simulator([Reply(text="Done.")]), ceilings=Ceilings(steps=3))
    task.run("Look.")
    (record,) = [one for one in task.events if one.fact.kind == "turn_started"]

    read = from_json(to_json(record))

    assert read == pickle.loads(pickle.dumps(read)) == record  # noqa: S301 - our own
    found: Ceilings = read.fact.settings.ceilings  # type: ignore[union-attr] # it is a TurnStarted
    assert found.over(Ceilings(cost_usd=1, steps=1)) == found
