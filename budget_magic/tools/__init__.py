"""What Claude may call: file tools and functions; their approval, and redaction of secrets."""

from budget_magic.tools.context import ToolContext
from budget_magic.tools.functions import tool
from budget_magic.tools.result import ToolResult, document_block, image_block, text_block
from budget_magic.tools.tool import Tool

__all__ = [
    "Tool",
    "ToolContext",
    "ToolResult",
    "document_block",
    "image_block",
    "text_block",
    "tool",
]
