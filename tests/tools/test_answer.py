"""The answer to a call: text, error, cap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic.errors import ToolRefusal
from budget_magic.tools import Tool, ToolContext, ToolResult
from budget_magic.tools.redactor import Redactor
from budget_magic.tools.run_tool import run_tool
from budget_magic.tools.text import as_text, capped
from tests.tools.calling import NOTHING_SECRET, call, context, text_of


class Given(Tool):
    """A tool that returns a result, or raises an error."""

    name = "given"

    def __init__(self, outcome: str | ToolResult | BaseException) -> None:
        self._outcome = outcome

    def definition(self) -> dict[str, Any]:
        """A name only."""
        return {"name": self.name}

    def call(self, arguments: dict[str, Any], context: ToolContext) -> str | ToolResult:
        """What was given."""
        del arguments, context
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


def test_a_short_text_is_given_as_it_is() -> None:
    answered = call(Given("hello"))

    assert (answered.content, answered.is_error, answered.cut_bytes) == ("hello", False, 0)


class Unreadable(Exception):  # noqa: N818 - what it does, not what it is
    """Ends whoever reads its message."""

    def __str__(self) -> str:
        raise SystemExit(1)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no such column"), "ValueError: no such column"),
        (KeyError("x"), "KeyError: 'x'"),
        (AssertionError(), "AssertionError"),
        (ToolRefusal("not today"), "not today"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "SystemExit: 3"),
        (Unreadable(), "Unreadable: (its message could not be read)"),
    ],
)
def test_whatever_a_tool_raises_becomes_an_error_result(error: BaseException, said: str) -> None:
    answered = call(Given(error))

    assert (answered.content, answered.is_error) == (said, True)


def test_a_cancellation_passes_through() -> None:
    with pytest.raises(asyncio.CancelledError):
        call(Given(asyncio.CancelledError()))


def test_secrets_are_replaced_in_results_and_errors_before_they_are_cut() -> None:
    redactor = Redactor({"MY_API_KEY": "planted-key-value"})
    long = "x" * 80 + "planted-key-value" + "y" * 200

    def answered(outcome: str | BaseException) -> str:
        return text_of(asyncio.run(run_tool(Given(outcome), {}, context(), redactor, 200)))

    assert answered("planted-key-value!") == "[secret MY_API_KEY]!"
    assert answered(ValueError("planted-key-value")) == "ValueError: [secret MY_API_KEY]"
    assert "plan" not in answered(long)


def test_lone_surrogates_are_replaced() -> None:
    assert call(Given("a\ud800b \U0001f600")).content == "a\ufffdb \U0001f600"


def test_a_long_result_keeps_head_and_tail_on_line_borders_and_says_so() -> None:
    lines = [f"line {number:04}" for number in range(1000)]

    answered = call(Given("\n".join(lines)), cap_bytes=500)
    head, note, tail = text_of(answered).partition("\n[")
    kept, _, end = tail.partition(" bytes left out here]\n")

    assert len(text_of(answered).encode()) <= 500
    assert note
    assert head.splitlines() == lines[: len(head.splitlines())]
    assert end.splitlines() == lines[-len(end.splitlines()) :]
    assert kept == f"{answered.cut_bytes:,}"
    assert len(head) + len(end) + answered.cut_bytes == len("\n".join(lines))


@given(text=st.text(max_size=400), cap=st.integers(60, 500))
def test_the_cap_holds_and_head_and_tail_are_the_text_s_own(text: str, cap: int) -> None:
    shortened, missing = capped(text, cap)
    size = len(text.encode())

    assert len(shortened.encode()) <= cap
    if size <= cap:
        assert (shortened, missing) == (text, 0)
    else:
        note = f"\n[{missing:,} bytes left out here]\n"
        at = next(
            at
            for at in range(len(shortened))
            if shortened.startswith(note, at) and text.startswith(shortened[:at])
        )
        assert text.endswith(shortened[at + len(note) :])
        assert missing == size - len(shortened.replace(note, "", 1).encode())


@given(text=st.text(min_size=61), cap=st.integers(0, 60))
def test_even_a_tiny_cap_holds(text: str, cap: int) -> None:
    assert len(capped(text, cap)[0].encode()) <= cap


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ("", "done, returned an empty text"),
        (None, "done, returned nothing"),
        (3, "3"),
        (True, "true"),
        ([1, "zwölf", None], '[1, "zwölf", null]'),
        ({"a": (1, 2)}, '{"a": [1, 2]}'),
        ({1}, "{1}"),
        (3 + 4j, "(3+4j)"),
        ({(1, 2): 3}, "{(1, 2): 3}"),
    ],
)
def test_values_become_text(value: object, text: str) -> None:
    assert as_text(value) == text


@pytest.mark.parametrize("make", [bytes, bytearray, lambda data: memoryview(bytes(data))])
def test_binary_values_are_refused(make: Callable[[bytes], object]) -> None:
    with pytest.raises(ToolRefusal, match="3 bytes of binary data"):
        as_text(make(b"abc"))


def test_a_data_frame_becomes_a_table_of_fifty_rows_and_says_so() -> None:
    pandas = pytest.importorskip("pandas", reason="pip install pandas")
    frame = pandas.DataFrame({"n": range(60), "text": ["a|b\nc"] * 60})

    lines = as_text(frame).splitlines()

    assert lines[:3] == ["| n | text |", "| --- | --- |", "| 0 | a\\|b c |"]
    assert lines[-1] == "(the first 50 of 60 rows)"
    assert len(lines) == 2 + 50 + 2


def test_a_data_frame_with_an_index_of_its_own_shows_it() -> None:
    pandas = pytest.importorskip("pandas", reason="pip install pandas")
    frame = pandas.DataFrame({"n": [1]}, index=pandas.Index(["x"], name="key"))

    assert as_text(frame) == "| key | n |\n| --- | --- |\n| x | 1 |"
    assert as_text(frame.head(0)).endswith("(no rows)")


def test_an_error_whose_message_cannot_be_read_is_told_all_the_same() -> None:
    class Broken(Exception):  # noqa: N818 - a stranger's
        def __str__(self) -> str:
            raise RuntimeError

    assert asyncio.run(run_tool(Given(Broken()), {}, context(), NOTHING_SECRET)).content == (
        "Broken: (its message could not be read)"
    )
