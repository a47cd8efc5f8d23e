"""Build the views of a step's blocks: thinking, text, calls and results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from budget_magic.events import StepFinished, ToolFinished
from budget_magic.report.call_labels import call_text
from budget_magic.report.numbers import exact, plural
from budget_magic.report.text import clean_text, one_line
from budget_magic.report.turn_facts import StepFacts
from budget_magic.report.view_models import BlockView

_CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_THINKING: Final = frozenset({"thinking", "redacted_thinking"})


def block_views(step: StepFacts, measured: StepFinished | None) -> tuple[BlockView, ...]:
    """Return the blocks of a finished step in order, each result after its call.

    `measured` is the reply to the prompt that held the results; it measures all of them together.
    """
    alone = measured.tool_result_tokens or None if measured and len(step.results) == 1 else None
    rest = dict(step.results)
    blocks: list[BlockView] = []
    for index, block in enumerate(step.content):
        kind = str(block.get("type", ""))
        if kind in _THINKING:
            text = clean_text(str(block.get("thinking") or "")) or "(not shown by the API)"
            blocks.append(BlockView(kind="thinking", label="thinking", index=index, text=text))
        elif kind == "text":
            text = clean_text(str(block.get("text", "")))
            blocks.append(BlockView(kind="text", label="text", index=index, text=text))
        elif kind in _CALLS:
            name, call_id = str(block.get("name", "")), str(block.get("id", ""))
            text, shown = call_text(name, block.get("input")), one_line(name, 80)
            blocks.append(
                BlockView(
                    kind="call", label="call", index=index, text=text, name=shown, call_id=call_id
                )
            )
            if call_id in step.results:
                blocks.append(_result(step.results[call_id], alone))
                rest.pop(call_id, None)
    return (*blocks, *(_result(result, alone) for result in rest.values()))


def cut_blocks(streamed: str) -> tuple[BlockView, ...]:
    """Return the blocks of a step without a reply: the text that had streamed, if any."""
    text = clean_text(streamed)
    return (BlockView(kind="text", label="text", text=text, cut_off=True),) if text.strip() else ()


def _result(result: ToolFinished, tokens: int | None) -> BlockView:
    word = "not run" if not result.ran else "✕ error" if result.is_error else "result"
    cut = f"{exact(result.cut_bytes)} bytes left out before it was sent" if result.cut_bytes else ""
    return BlockView(
        kind="result",
        name=one_line(result.name, 80),
        call_id=result.call_id,
        text=clean_text(result.shown).rstrip("\n"),
        is_error=result.is_error and result.ran,
        tokens=tokens,
        label=word if tokens is None else f"{word}, {plural(tokens, 'token')}",
        cut=cut,
    )


def why_text(reply: StepFinished, counted: int, results: str) -> str:
    """Return a step's tokens by kind, and its input by price.

    `counted` is their sum, and `results` the tokens of the results of its calls.
    """
    usage = reply.usage
    if not reply.usage_known:
        return f"invalid usage; ≈ {exact(counted)} tokens counted"
    split = "≈ " if reply.split_estimated else ""
    return (
        f"thinking {exact(usage.thinking_tokens)}, calls {split}{exact(reply.call_tokens)}, "
        f"text {split}{exact(reply.text_tokens)}, results {results} "
        f"· input {exact(usage.cache_read_input_tokens)} cached, "
        f"{exact(usage.cache_creation_input_tokens)} written, {exact(usage.input_tokens)} fresh"
    )


def is_call(block: Mapping[str, Any]) -> bool:
    """Return whether a content block is a tool call."""
    return block.get("type") in _CALLS
