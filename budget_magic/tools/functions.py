"""Python functions as tools."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Coroutine
from functools import cached_property, partial
from typing import Any, Final, TypeVar, overload

from budget_magic.errors import ConfigurationError
from budget_magic.tools.context import ToolContext, run_for_caller
from budget_magic.tools.result import ToolResult
from budget_magic.tools.text import as_text, explained
from budget_magic.tools.tool import Thread, Tool, ToolOutput

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_READS: Final = "__budget_magic_reads__"


@overload
def tool(function: FunctionT, /) -> FunctionT: ...


@overload
def tool(*, reads: bool = False) -> Callable[[FunctionT], FunctionT]: ...


def tool(
    function: FunctionT | None = None, /, *, reads: bool = False
) -> FunctionT | Callable[[FunctionT], FunctionT]:
    """Declare a function as a tool, and return it unchanged.

    Parameters
    ----------
    function
        Given if the decorator is used without parentheses.
    reads
        True declares that the function only reads: it runs without approval, in a worker thread,
        beside other calls. Any other function needs approval and runs on the notebook's thread,
        one call at a time; under `arun`, in one thread beside the loop that awaits it, and on that
        loop if it is async.

    Examples
    --------
    >>> @tool(reads=True)
    ... def row_count(table: str) -> int:
    ...     return len(table)
    """

    def declare(declared: FunctionT) -> FunctionT:
        try:
            setattr(declared, _READS, reads)
        except (AttributeError, TypeError):
            message = f"{declared!r} cannot be declared as a tool; wrap it in a function"
            raise ConfigurationError(message) from None
        return declared

    return declare if function is None else declare(function)


class FunctionTool(Tool):
    """A function as a tool.

    Declared `reads=True`, it runs in a worker thread, or on the session's function loop if it is
    async; a Stop does not wait for it. Any other function runs on the waiting thread, where an
    Interrupt reaches it. If it is async, it cannot use objects that belong to the notebook's own
    event loop, which is blocked meanwhile, except under `arun`: there async functions run on the
    loop that awaits the turn, and others in a thread beside it.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        reads_only: bool,
        approval_reason: str = "It is a function of this notebook, so it asks.",
    ) -> None:
        self._function = function
        self.name = name
        self.needs_approval = not reads_only
        self.approval_reason = approval_reason
        self.is_parallel = reads_only
        self.thread: Thread = "worker" if reads_only else "caller"
        if reads_only and _is_async(function):
            self.thread = "loop"

    @cached_property
    def described(self) -> Any:
        """The SDK's tool for the function; ConfigurationError if an argument cannot be JSON."""
        return _described(self.name, self._function)

    @property
    def approval_key(self) -> object:
        """The function: redefining it revokes an approval."""
        return self._function

    def definition(self) -> dict[str, Any]:
        """Return the entry for the API's `tools`."""
        return dict(self.described.to_dict())

    def call(
        self, arguments: dict[str, Any], context: ToolContext
    ) -> ToolOutput | Coroutine[Any, Any, ToolOutput]:
        """Call the function and return its result as text or blocks."""
        if self.thread == "loop":
            return context.function_loop.run(partial(self._call_async, arguments))
        value = self.described.call(arguments)()
        return _as_output(run_for_caller(value) if inspect.iscoroutine(value) else value)

    async def _call_async(self, arguments: dict[str, Any]) -> ToolOutput:
        return _as_output(await self.described.call(arguments)())


def function_tool(function: object, name: str | None = None) -> FunctionTool:
    """Return a tool for a function, a method, or a tool that the SDK's `beta_tool` returned.

    `name` is what the model calls it; None takes the function's own name. Raise
    `ConfigurationError` if the name is invalid, or an argument cannot be given as JSON.
    """
    given = getattr(function, "func", None)
    if given is not None and type(function).__module__.startswith("anthropic."):
        name = name or str(getattr(function, "name", ""))
        function = given
    called = name or str(getattr(function, "__name__", "") or type(function).__name__)
    if not callable(function):
        shown = f"{called}, of type {type(function).__name__}," if name else repr(function)[:60]
        raise ConfigurationError(f"{shown} is not a tool; give a function, a Tool or a name")
    if isinstance(function, type):
        raise ConfigurationError(f"{called} is a class; name a function that uses it")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(f"{called} is a generator; return a list instead")
    if not TOOL_NAME.fullmatch(called):
        raise ConfigurationError(
            f"{called!r} cannot be the name of a tool; define a function with a name of at most "
            "64 letters a-z, digits, _ and -"
        )
    made = FunctionTool(called, function, reads_only=getattr(function, _READS, False) is True)
    _ = made.described  # checks the arguments now; our own tools wait, since this imports the SDK
    return made


def _as_output(value: object) -> ToolOutput:
    return value if isinstance(value, ToolResult) else as_text(value)


def _is_async(function: Callable[..., Any]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004 - an object's own async method
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _described(name: str, function: Callable[..., Any]) -> Any:
    """Return the SDK's tool for a function; its `call` checks the arguments and binds them.

    It does not run the function: the SDK would report its errors as invalid arguments.
    """
    from anthropic import beta_tool  # noqa: PLC0415 - heavy to import

    def bind(*args: Any, **kwargs: Any) -> Any:
        return partial(function, *args, **kwargs)

    signature = _signature(name, function)
    bind.__name__ = name
    # The docstring of a callable object's class describes the class.
    has_own_doc = getattr(function, "__doc__", None) != type(function).__doc__
    bind.__doc__ = inspect.getdoc(function) if has_own_doc else None
    bind.__signature__ = signature  # type: ignore[attr-defined] # read by inspect.signature
    bind.__annotations__ = {
        parameter.name: parameter.annotation
        for parameter in signature.parameters.values()
        if parameter.annotation is not parameter.empty
    }
    try:
        with warnings.catch_warnings():
            # A default that JSON cannot hold may be left out of the schema.
            warnings.simplefilter("ignore")
            made: Any = beta_tool(bind, name=name)
    except (Exception, SystemExit) as error:
        raise ConfigurationError(_why_no_schema(name, signature, error)) from error
    if not made.description:
        made.description = f"{name}: a function of the user's notebook."
    return made


def _signature(name: str, function: Callable[..., Any]) -> inspect.Signature:
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError as error:
        raise ConfigurationError(
            f"an annotation of {name} cannot be resolved: {error}; import or define it"
        ) from error
    except (TypeError, ValueError) as error:
        message = f"{name} has no signature that can be read; wrap it in a function"
        raise ConfigurationError(message) from error
    for parameter in signature.parameters.values():
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL}:
            raise ConfigurationError(
                f"{name} takes {parameter} by position, but a tool's arguments are passed by name;"
                " wrap it in a function"
            )
    return signature


def _why_no_schema(name: str, signature: inspect.Signature, error: BaseException) -> str:
    """Return one sentence that names the argument that cannot be given as JSON."""
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
