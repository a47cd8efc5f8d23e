"""Functions of the notebook as tools."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import anyio
import pytest
from anthropic import beta_tool
from pydantic import TypeAdapter

from budget_magic.errors import ConfigurationError
from budget_magic.tools import tool
from budget_magic.tools.functions import function_tool
from budget_magic.tools.run_tool import run_tool
from tests.tools.calling import NOTHING_SECRET, call, context, text_of

T = TypeVar("T")


def add(a: int, b: int = 2) -> int:
    """Add two numbers.

    Parameters
    ----------
    a
        The first one.
    b
        The second one.
    """
    return a + b


def fail(message: str) -> None:
    raise RuntimeError(message)


def test_a_function_is_described_by_its_signature_and_docstring() -> None:
    definition = function_tool(add).definition()

    assert definition["name"] == "add"
    assert definition["description"].startswith("Add two numbers.")
    schema = definition["input_schema"]
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"] == {
        "type": "integer",
        "title": "A",
        "description": "The first one.",
    }
    assert schema["properties"]["b"]["default"] == 2


def test_a_function_without_docstring_or_annotations_works() -> None:
    def bare(x, y=1):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - as users write it
        return [x, y]

    described = function_tool(bare)

    assert described.definition()["description"] == "bare: a function of the user's notebook."
    assert call(described, x="a").content == '["a", 1]'


def test_arguments_are_turned_into_the_annotated_types() -> None:
    def pick(column: Literal["a", "b"], sizes: list[float]) -> str:
        return f"{column} {sizes}"

    assert call(function_tool(pick), column="a", sizes=["1", 2]).content == "a [1.0, 2.0]"


def test_annotations_given_as_text_are_found_where_the_function_was_defined() -> None:
    space: dict[str, Any] = {"__name__": "somewhere_else"}
    exec(  # noqa: S102 - a notebook cell is run like this
        "from __future__ import annotations\nfrom fractions import Fraction\n"
        "def half(n: int | None) -> Fraction:\n    return Fraction(n, 2)\n",
        space,
    )

    assert call(function_tool(space["half"]), n=3).content == "Fraction(3, 2)"


def test_bad_arguments_are_named_with_the_reason() -> None:
    answered = call(function_tool(add), a="x", c=3)

    assert answered.is_error
    assert "a: Input should be a valid integer" in text_of(answered)
    assert "(got 'x')" in text_of(answered)
    assert "c: Unexpected keyword argument" in text_of(answered)
    assert text_of(call(function_tool(add))).endswith("a: Missing required argument")


def test_an_error_in_the_function_is_told_as_its_own() -> None:
    assert call(function_tool(fail), message="no table").content == "RuntimeError: no table"


def test_a_validation_error_inside_the_function_is_not_taken_for_bad_arguments() -> None:
    def inner() -> int:
        return TypeAdapter(int).validate_python("x")

    assert text_of(call(function_tool(inner))).startswith("ValidationError: 1 validation error")


@pytest.mark.parametrize(
    "error", [SystemExit(2), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()]
)
@pytest.mark.parametrize("reads", [True, False])
def test_what_would_end_the_event_loop_becomes_an_error_result(
    error: BaseException, *, reads: bool
) -> None:
    @tool(reads=reads)
    def leave() -> None:
        raise error

    answered = call(function_tool(leave))

    assert answered.is_error
    assert type(error).__name__ in text_of(answered)


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt()])
def test_a_declared_function_cannot_end_the_event_loop(
    error: BaseException, *, is_async: bool
) -> None:
    @tool(reads=True)
    def leave() -> None:
        raise error

    @tool(reads=True)
    async def leave_async() -> None:
        raise error

    answered = call(function_tool(leave_async if is_async else leave))

    assert answered.is_error
    assert type(error).__name__ in text_of(answered)


class Caller:
    """A thread that waits and runs what it is handed, as the notebook's does."""

    def __init__(self, *, with_loop: bool) -> None:
        self.name = ""
        self._with_loop = with_loop

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Run it there."""

        def work() -> T:
            self.name = threading.current_thread().name
            return asyncio.run(self._inside(function)) if self._with_loop else function()

        return await anyio.to_thread.run_sync(work)

    async def _inside(self, function: Callable[[], T]) -> T:
        return function()


@pytest.mark.parametrize("with_loop", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
def test_an_undeclared_function_runs_while_the_caller_waits(
    *, with_loop: bool, is_async: bool
) -> None:
    seen: list[str] = []
    topic = contextvars.ContextVar("topic", default="none")

    def note() -> str:
        seen.append(threading.current_thread().name)
        return topic.get()

    async def note_async() -> str:
        await asyncio.sleep(0)
        return note()

    caller = Caller(with_loop=with_loop)

    async def main() -> str:
        topic.set("copied")
        made = function_tool(note_async if is_async else note)
        assert made.thread == "caller"
        return text_of(await run_tool(made, {}, context(caller), NOTHING_SECRET))

    assert asyncio.run(main()) == "copied"
    expected = "budget_magic function" if with_loop and is_async else caller.name
    assert seen == [expected]


def test_a_declared_sync_function_runs_in_a_thread_of_its_own() -> None:
    names: list[str] = []

    @tool(reads=True)
    def look() -> None:
        names.append(threading.current_thread().name)

    made = function_tool(look)

    assert (made.thread, made.is_parallel, made.needs_approval) == ("worker", True, False)
    assert call(made).content == "done, returned nothing"
    assert names != [threading.current_thread().name]


def test_declared_async_functions_share_a_loop_that_is_not_the_turns() -> None:
    loops: list[object] = []

    @tool(reads=True)
    async def look() -> None:
        loops.append(asyncio.get_running_loop())

    async def main() -> None:
        for _ in range(2):
            await run_tool(function_tool(look), {}, context(), NOTHING_SECRET)
        assert asyncio.get_running_loop() not in loops

    asyncio.run(main())
    asyncio.run(main())

    assert len(loops) == 4
    assert len(set(loops)) == 1


def test_declared_functions_run_beside_each_other() -> None:
    both = threading.Barrier(2, timeout=10)

    @tool(reads=True)
    def meet() -> int:
        return both.wait()

    async def main() -> list[bool]:
        made = function_tool(meet)
        answers = await asyncio.gather(
            run_tool(made, {}, context(), NOTHING_SECRET),
            run_tool(made, {}, context(), NOTHING_SECRET),
        )
        return [one.is_error for one in answers]

    assert asyncio.run(main()) == [False, False]


def test_a_sync_function_that_returns_a_coroutine_is_run_to_its_end() -> None:
    async def inner() -> str:
        await asyncio.sleep(0)
        return "inner"

    def outer() -> Any:
        return inner()

    assert call(function_tool(outer)).content == "inner"


def test_what_a_function_prints_stays_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    def speak() -> str:
        sys.stdout.write("spoken")
        return "returned"

    assert call(function_tool(speak)).content == "returned"
    assert capsys.readouterr().out == "spoken"


def test_the_decorator_returns_the_function_itself() -> None:
    assert tool(reads=True)(fail) is fail
    assert not function_tool(fail).needs_approval
    assert tool(fail) is fail
    assert function_tool(fail).needs_approval
    assert tool()(fail) is fail


def test_methods_partials_and_tools_of_the_sdk_can_be_used() -> None:
    class Table:
        """A table."""

        def rows(self, at_least: int) -> int:
            """Count the rows."""
            return at_least + 1

        def __call__(self, n: int) -> int:
            return n

    @beta_tool(name="twice")
    def double(n: int) -> str:
        """Twice."""
        return str(2 * n)

    assert call(function_tool(Table().rows), at_least=2).content == "3"
    assert call(function_tool(Table(), "table"), n=2).content == "2"
    assert call(function_tool(functools.partial(add, b=10), "add_ten"), a=1).content == "11"
    assert call(function_tool(double), n=4).content == "8"
    assert function_tool(double).name == "twice"


def yielding() -> Any:
    yield 1


def by_position(a: int, /) -> int:
    return a


def any_number(*numbers: int) -> int:
    return len(numbers)


def strange(size: threading.Event) -> None:
    del size


def größe() -> None:  # noqa: PLC2401 - the point of it
    """A name the API does not take."""


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (5, "5 is not a tool"),
        ("text", "'text' is not a tool"),
        (dict, "dict is a class"),
        (lambda: 1, "'<lambda>' cannot be the name of a tool"),
        (größe, "'größe' cannot be the name of a tool"),
        (yielding, "yielding is a generator; return a list"),
        (by_position, "by position"),
        (any_number, "by position"),
        (strange, "`size: threading.Event` cannot be given as JSON"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_in_one_sentence(thing: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        function_tool(thing)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_annotation_is_refused() -> None:
    space: dict[str, Any] = {}  # the cell inherits this file's lazy annotations
    exec("def f(x: Nowhere): pass", space)  # noqa: S102 - a notebook cell is run like this

    with pytest.raises(ConfigurationError, match="name 'Nowhere' is not defined"):
        function_tool(space["f"])
