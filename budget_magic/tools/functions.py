"""Python functions of the notebook as tools: their schema, and the thread that they run on."""

from __future__ import annotations

import asyncio
import inspect
import re
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from budget_magic.errors import ConfigurationError, ToolRefusal
from budget_magic.tools.loop_thread import run_apart
from budget_magic.tools.marks import is_declared_read_only
from budget_magic.tools.text import as_text, explained
from budget_magic.tools.tool import RunInCaller
from budget_magic.tools.waiting import run_to_end

TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MOST_THREADS: Final = 40
"""Calls of one function that run beside each other."""


class _Raised(Exception):  # noqa: N818 - a parcel, not an error of its own
    """What the function itself raised, kept apart from arguments that do not fit it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(type(error).__name__)
        self.error = error


class FunctionTool:
    """A function of the notebook.

    Where it runs
        Declared `reads=True`: in a worker thread, or on a loop for all such functions if it is
        async (see `run_apart`), beside other calls; a Stop does not wait for it. Not declared: on
        the thread that waits, one call at a time, where an Interrupt reaches it. An async one
        cannot use objects that belong to the notebook's own event loop, since that loop waits
        while it runs (see `run_to_end`).
    """

    why_it_asks = "It is a function of this notebook, so it asks."

    def __init__(self, name: str, function: Callable[..., Any], *, reads_only: bool) -> None:
        self.runs = function
        self._is_async = _is_async(function)
        self._inner = _described(name, function, is_async=self._is_async)
        self._reads_only = reads_only
        # Its own: a function may run a task, whose tools must find a thread while it waits.
        self._threads = CapacityLimiter(MOST_THREADS)

    @property
    def name(self) -> str:
        """What the model calls it."""
        return str(self._inner.name)

    @property
    def reads_only(self) -> bool:
        """Whether it was declared with `reads=True`."""
        return self._reads_only

    def definition(self) -> dict[str, Any]:
        """Return the entry for the API's `tools`."""
        return dict(self._inner.to_dict())

    async def call(self, arguments: dict[str, Any], run_in_caller: RunInCaller) -> str:
        """Return what the function returned, as text; raises what it raised."""
        try:
            if not self._reads_only:
                return await run_in_caller(partial(self._run_waited_for, arguments))
            if self._is_async:
                return await run_apart(partial(self._run_async, arguments))
            run = partial(self._run_in_worker, arguments)
            return await run_sync(run, abandon_on_cancel=True, limiter=self._threads)
        except _Raised as raised:
            if isinstance(raised.error, Exception):
                raise raised.error from raised.error.__cause__
            # Not raised as it is: a cancellation of its own is none of the turn.
            raise ToolRefusal(explained(raised.error)) from raised.error

    def _run_waited_for(self, arguments: dict[str, Any]) -> str:
        try:
            result = self._inner.call(arguments)
            return as_text(run_to_end(result) if inspect.iscoroutine(result) else result)
        except asyncio.CancelledError as error:  # it cancelled itself: nobody cancels from here
            raise _Raised(error) from error

    def _run_in_worker(self, arguments: dict[str, Any]) -> str:
        try:
            return self._run_waited_for(arguments)
        except _Raised:
            raise
        except BaseException as error:  # a GeneratorExit would close what awaits the thread
            raise _Raised(error) from error

    async def _run_async(self, arguments: dict[str, Any]) -> str:
        try:
            return as_text(await self._inner.call(arguments))
        except _Raised:
            raise
        except BaseException as error:  # a cancellation of its own is none of the turn
            raise _Raised(error) from error


def function_tool(function: object, name: str | None = None) -> FunctionTool:
    """Return a tool made of a function, a method, or what the SDK's `beta_tool` returned.

    Parameters
    ----------
    function
        Sync or async, with or without docstring and annotations.
    name
        What the model calls it; None for the function's own name.

    Raises
    ------
    ConfigurationError
        It is no function, its name is not one that the API takes, or an argument of it cannot be
        given as JSON.
    """
    reads_only = is_declared_read_only(function)
    given = getattr(function, "func", None)
    if given is not None and type(function).__module__.startswith("anthropic."):
        name = name or str(getattr(function, "name", ""))
        function, reads_only = given, is_declared_read_only(given)
    called = name or str(getattr(function, "__name__", "") or type(function).__name__)
    if not callable(function):
        raise ConfigurationError(f"{called} is not a function but {_a(type(function).__name__)}")
    if isinstance(function, type):
        raise ConfigurationError(f"{called} is a class; name a function that uses it")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(f"{called} is a generator; let it return a list")
    if not TOOL_NAME.fullmatch(called):
        raise ConfigurationError(
            f"{called!r} cannot be the name of a tool; define a function with a name of at most "
            "64 letters a-z, digits, _ and -"
        )
    return FunctionTool(called, function, reads_only=reads_only)


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _is_async(function: Callable[..., Any]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004 - an object's own async method
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _described(name: str, function: Callable[..., Any], *, is_async: bool) -> Any:
    """Return the SDK's tool for a function; the SDK makes the schema and checks the arguments."""
    from anthropic import beta_async_tool, beta_tool  # noqa: PLC0415 - heavy to import

    signature = _signature(name, function)
    body = _body(function, is_async=is_async)
    body.__name__ = name
    body.__doc__ = inspect.getdoc(function) if _has_own_doc(function) else None
    body.__signature__ = signature  # type: ignore[attr-defined] # read by inspect.signature
    body.__annotations__ = {
        parameter.name: parameter.annotation
        for parameter in signature.parameters.values()
        if parameter.annotation is not parameter.empty
    }
    try:
        with warnings.catch_warnings():
            # A default that JSON cannot hold is left out of the schema, and that is all right.
            warnings.simplefilter("ignore")
            make: Any = beta_async_tool if is_async else beta_tool
            made = make(body, name=name)
    except (Exception, SystemExit) as error:
        raise ConfigurationError(_why_no_schema(name, signature, error)) from error
    if not made.description:
        made.description = f"{name}: a function of the user's notebook."
    return made


def _signature(name: str, function: Callable[..., Any]) -> inspect.Signature:
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError as error:
        raise ConfigurationError(f"an annotation of {name} is not known here: {error}") from error
    except (TypeError, ValueError) as error:
        message = f"{name} does not tell its arguments; wrap it in a function of your own"
        raise ConfigurationError(message) from error
    for parameter in signature.parameters.values():
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL}:
            raise ConfigurationError(
                f"{name} takes {parameter} by position; a tool's arguments are given by name"
            )
    return signature


def _has_own_doc(function: Callable[..., Any]) -> bool:
    """Return whether the docstring is the function's own, not that of its class."""
    return getattr(function, "__doc__", None) != type(function).__doc__


def _body(function: Callable[..., Any], *, is_async: bool) -> Callable[..., Any]:
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except (KeyboardInterrupt, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise _Raised(error) from error

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise _Raised(error) from error

    return run_async if is_async else run


def _why_no_schema(name: str, signature: inspect.Signature, error: BaseException) -> str:
    """Return one sentence that names the argument which JSON cannot give."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - heavy to import

    for parameter in signature.parameters.values():
        try:
            TypeAdapter(parameter.annotation).json_schema()
        except Exception:  # noqa: BLE001 - any failure means the same here
            shown = parameter.replace(default=parameter.empty)
            return (
                f"{name} cannot be a tool: its argument `{shown}` cannot be given as JSON; "
                "use str, int, float, bool, list or dict"
            )
    return f"{name} cannot be a tool: {explained(error).splitlines()[0]}"
