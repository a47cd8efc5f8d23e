"""Run one call on its tool's thread, and answer every error as text."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from budget_magic.errors import ToolRefusal
from budget_magic.tools.context import CURRENT_CALL, ToolContext, run_for_caller
from budget_magic.tools.redactor import Redactor
from budget_magic.tools.result import RESULT_CAP_BYTES, ToolAnswer, ToolResult, to_answer
from budget_magic.tools.text import explained
from budget_magic.tools.tool import Tool, ToolOutput


async def run_tool(
    tool: Tool,
    arguments: dict[str, Any],
    context: ToolContext,
    redactor: Redactor,
    cap_bytes: int = RESULT_CAP_BYTES,
) -> ToolAnswer:
    """Run one call and return its answer: redacted, capped, and with any error as text.

    Only a cancellation is raised; it also cancels what the call started. A KeyboardInterrupt or
    SystemExit that arrives here comes from the tool, and would end the loop that all tasks share.
    """
    token = CURRENT_CALL.set(context)
    try:
        return to_answer(await _output(tool, arguments, context), redactor, cap_bytes)
    except asyncio.CancelledError:
        context.cancel.cancel()
        raise
    except BaseException as error:  # noqa: BLE001 - the model is sent whatever a tool raises
        redactor.refresh()
        text = explained(error, redactor.redact)
        return to_answer(ToolResult(content=text, is_error=True), redactor, cap_bytes)
    finally:
        CURRENT_CALL.reset(token)


async def _output(tool: Tool, arguments: dict[str, Any], context: ToolContext) -> ToolOutput:
    def call_in_thread() -> ToolOutput:
        try:
            output = tool.call(arguments, context)
            return run_for_caller(output) if inspect.iscoroutine(output) else output  # type: ignore[return-value] # no other awaitable is run off the loop
        except Exception:
            raise
        except BaseException as error:
            if tool.thread == "caller" and isinstance(error, KeyboardInterrupt):
                raise  # a person interrupted the notebook
            # A CancelledError from here would cancel the turn, a GeneratorExit close what waits.
            raise ToolRefusal(explained(error)) from error

    match tool.thread:
        case "loop":
            output = tool.call(arguments, context)
            return await output if inspect.isawaitable(output) else output
        case "worker":
            # Not the shared limiter: the tool may run a task, whose tools need threads too.
            limiter = CapacityLimiter(1)
            return await run_sync(call_in_thread, abandon_on_cancel=True, limiter=limiter)
        case "caller":
            return await context.run_in_caller(call_in_thread)
