"""Who decides whether a call may run."""

from __future__ import annotations

import asyncio
from typing import Literal, cast

import pytest

from budget_magic.errors import ConfigurationError
from budget_magic.settings import parsers
from budget_magic.tools import tool
from budget_magic.tools.approval import (
    ApprovalFunction,
    Call,
    Denied,
    Policy,
    decide,
    verdict,
)
from budget_magic.tools.functions import function_tool
from tests.tools.calling import here

CALL = Call(id="toolu_1", name="save", arguments={"path": "a.txt", "rows": 3})


def save(path: str) -> None:
    del path


@tool(reads=True)
def look() -> None:
    pass


def yes(call: Call) -> bool:
    return call.name == "save"


@pytest.mark.parametrize(
    ("policy", "reads", "approved", "expected"),
    [
        ("ask", True, False, "run"),
        ("none", True, False, "run"),
        (yes, True, False, "run"),
        ("all", False, False, "run"),
        ("ask", False, False, "ask"),
        (yes, False, False, "ask"),
        ("ask", False, True, "run"),
        ("none", False, True, "run"),
    ],
)
def test_the_policy_decides_before_anybody_is_asked(
    policy: Policy, expected: Literal["run", "ask"], *, reads: bool, approved: bool
) -> None:
    made = function_tool(look if reads else save)

    assert decide(policy, made, already_approved=approved) == expected


def test_the_policy_none_denies_what_would_ask() -> None:
    decision = decide("none", function_tool(save), already_approved=False)

    assert isinstance(decision, Denied)
    assert decision.reason.startswith("not run: save would have to ask")


async def later(call: Call) -> str:
    await asyncio.sleep(0)
    return f"not {call.name}"


def fails(call: Call) -> bool:
    raise LookupError(call.name)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (yes, "run"),
        (lambda _: False, Denied("not run: denied by the user")),
        (lambda _: "too late", Denied("not run: denied by the user: too late")),
        (later, Denied("not run: denied by the user: not save")),
        (fails, Denied("not run: the approval function failed with LookupError: save")),
    ],
)
def test_an_approval_function_decides(function: ApprovalFunction, expected: object) -> None:
    assert asyncio.run(verdict(function, CALL, here)) == expected


@pytest.mark.parametrize("said", [None, 1, ""])
def test_anything_but_true_denies(said: object) -> None:
    function = cast("ApprovalFunction", lambda _: said)

    assert isinstance(asyncio.run(verdict(function, CALL, here)), Denied)


def test_an_interrupt_in_an_approval_function_passes_through() -> None:
    def interrupted(call: Call) -> bool:
        raise KeyboardInterrupt(call.name)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(verdict(interrupted, CALL, here))


@pytest.mark.parametrize("value", ["ask", "all", "none", yes])
def test_a_policy_is_one_of_three_words_or_a_function(value: object) -> None:
    assert parsers.policy(value) == value


@pytest.mark.parametrize("value", ["always", None, True, 3, dict])
def test_any_other_policy_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="choose one of ask, all, none"):
        parsers.policy(value)


def test_a_call_is_summed_up_whole_and_exactly_on_one_line() -> None:
    text = "x\n" * 500 + "\x1b]; rm -rf ~\x07\u202e\u200b\ud800\ufe0f"
    long = Call(id="1", name="save", arguments={"text": text, "a\u200b": 1})

    assert CALL.summary == "save(path='a.txt', rows=3)"
    assert long.summary.startswith("save(text='x\\nx\\n")
    assert long.summary.endswith(
        "x\\n\\x1b]; rm -rf ~\\x07\\u202e\\u200b\\ud800\\ufe0f', 'a\\u200b'=1)"
    )
    assert long.summary.isprintable()
