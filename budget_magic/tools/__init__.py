"""WHAT CLAUDE MAY DO: file tools, functions of the notebook, approval, and redaction of secrets."""

from budget_magic.tools.approval import Call, Denied, Policy, decide, parse_policy, verdict
from budget_magic.tools.context import CancelToken, Reservation, RunInCaller, ToolContext
from budget_magic.tools.files import file_tools
from budget_magic.tools.functions import function_tool
from budget_magic.tools.result import (
    ToolAnswer,
    ToolResult,
    document_block,
    image_block,
    text_block,
    to_answer,
)
from budget_magic.tools.run_tool import run_tool
from budget_magic.tools.secrets import Redactor, StreamRedactor
from budget_magic.tools.text import as_text
from budget_magic.tools.tool import Tool
from budget_magic.tools.tool_decorator import tool
from budget_magic.tools.toolbox import Toolbox, build_toolbox

__all__ = [
    "Call",
    "CancelToken",
    "Denied",
    "Policy",
    "Redactor",
    "Reservation",
    "RunInCaller",
    "StreamRedactor",
    "Tool",
    "ToolAnswer",
    "ToolContext",
    "ToolResult",
    "Toolbox",
    "as_text",
    "build_toolbox",
    "decide",
    "document_block",
    "file_tools",
    "function_tool",
    "image_block",
    "parse_policy",
    "run_tool",
    "text_block",
    "to_answer",
    "tool",
    "verdict",
]
