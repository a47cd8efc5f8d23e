"""WHAT CLAUDE MAY DO: file tools, functions of the notebook, approval, and redaction of secrets."""

from budget_magic.tools.approval import Call, Denied, Policy, decide, parse_policy, verdict
from budget_magic.tools.files import file_tools
from budget_magic.tools.functions import function_tool
from budget_magic.tools.marks import tool
from budget_magic.tools.secrets import Redactor, StreamRedactor
from budget_magic.tools.text import as_text
from budget_magic.tools.tool import RunInCaller, Tool, ToolAnswer, answer, sendable
from budget_magic.tools.toolbox import Toolbox, build_toolbox, split_names

__all__ = [
    "Call",
    "Denied",
    "Policy",
    "Redactor",
    "RunInCaller",
    "StreamRedactor",
    "Tool",
    "ToolAnswer",
    "Toolbox",
    "answer",
    "as_text",
    "build_toolbox",
    "decide",
    "file_tools",
    "function_tool",
    "parse_policy",
    "sendable",
    "split_names",
    "tool",
    "verdict",
]
