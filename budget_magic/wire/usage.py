"""Parse the `usage` object of a reply into figures that can be right, or into None."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from budget_magic.events import IterationUsage, Usage
from budget_magic.events.usage import OUTSIDE_THE_SUM

MOST_TOKENS: Final = 100_000_000
"""No reply reads or writes more: a hundred of the largest context windows (1M tokens, 2026-11)."""

_Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]
_ModelT = TypeVar("_ModelT", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _CacheCreation(_Strict):
    ephemeral_1h_input_tokens: _Count | None = None


class _Tokens(_Strict):
    input_tokens: _Count
    cache_read_input_tokens: _Count | None = None
    cache_creation_input_tokens: _Count | None = None
    cache_creation: _CacheCreation | None = None

    @property
    def written(self) -> int:
        return self.cache_creation_input_tokens or 0

    @property
    def written_for_an_hour(self) -> int:
        return (self.cache_creation and self.cache_creation.ephemeral_1h_input_tokens) or 0

    @property
    def prompt_tokens(self) -> int:
        return self.input_tokens + (self.cache_read_input_tokens or 0) + self.written


class _Iteration(_Tokens):
    type: str = "message"
    model: str | None = None
    output_tokens: _Count


class _OutputDetails(_Strict):
    thinking_tokens: _Count | None = None


class _ServerTools(_Strict):
    web_search_requests: _Count | None = None


class _PromptUsage(_Tokens):
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None


class _ReplyUsage(_PromptUsage):
    output_tokens: _Count
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerTools | None = None
    iterations: list[_Iteration] | None = None


def parse_prompt_usage(raw: object) -> Usage | None:
    """Return the input figures of `message_start`, or None where they cannot be right."""
    parsed = _validated(_PromptUsage, raw)
    if parsed is None or not parsed.prompt_tokens or not _is_split_right(parsed):
        return None
    return _usage(parsed)


def parse_usage(raw: object, *, has_content: bool) -> Usage | None:
    """Return the figures of a whole reply, or None where they cannot be right.

    Parameters
    ----------
    raw
        The `usage` object as JSON values, whatever the server put there.
    has_content
        Whether the reply has any block: then it has output tokens.

    Notes
    -----
    Figures cannot be right where one is missing, no whole number, negative or beyond 100 million,
    where prompt or output are zero in full, or where the iterations add up to less than the
    top-level figures, which leave some of them out but hold nothing that they do not.

    Examples
    --------
    >>> parse_usage({"input_tokens": 20, "output_tokens": 5}, has_content=True).prompt_tokens
    20
    >>> parse_usage({"input_tokens": 20, "output_tokens": None}, has_content=True) is None
    True
    """
    parsed = _validated(_ReplyUsage, raw)
    if parsed is None or not all(map(_is_split_right, (parsed, *(parsed.iterations or ())))):
        return None
    iterations = parsed.iterations or []
    if iterations and not _cover(iterations, parsed):
        return None
    outside = [part for part in iterations if part.type in OUTSIDE_THE_SUM]
    if not any(part.prompt_tokens for part in (parsed, *outside)):
        return None
    outputs = (parsed.output_tokens, *(part.output_tokens for part in outside))
    return None if has_content and not any(outputs) else _usage(parsed)


def _validated(model: type[_ModelT], raw: object) -> _ModelT | None:
    try:
        return model.model_validate(raw)
    except ValidationError:
        return None


def _is_split_right(part: _Tokens) -> bool:
    return part.written_for_an_hour <= part.written


def _cover(iterations: Sequence[_Iteration], parsed: _ReplyUsage) -> bool:
    """Return whether the iterations hold at least what the top-level figures say."""
    inside = [part for part in iterations if part.type not in OUTSIDE_THE_SUM]
    return (
        sum(part.prompt_tokens for part in inside) >= parsed.prompt_tokens
        and sum(part.output_tokens for part in inside) >= parsed.output_tokens
    )


def _usage(parsed: _PromptUsage) -> Usage:
    usage = Usage(
        input_tokens=parsed.input_tokens,
        cache_read_input_tokens=parsed.cache_read_input_tokens or 0,
        cache_creation_input_tokens=parsed.written,
        cache_creation_1h_input_tokens=parsed.written_for_an_hour,
        service_tier=parsed.service_tier,
        speed=parsed.speed,
        inference_geo=parsed.inference_geo or None,
    )
    if not isinstance(parsed, _ReplyUsage):
        return usage
    thinking = (parsed.output_tokens_details and parsed.output_tokens_details.thinking_tokens) or 0
    searches = (parsed.server_tool_use and parsed.server_tool_use.web_search_requests) or 0
    return replace(
        usage,
        output_tokens=parsed.output_tokens,
        thinking_tokens=min(thinking, parsed.output_tokens),
        web_search_requests=searches,
        iterations=tuple(map(_iteration, parsed.iterations or ())),
    )


def _iteration(part: _Iteration) -> IterationUsage:
    return IterationUsage(
        kind=part.type,
        model=part.model or None,
        input_tokens=part.input_tokens,
        cache_read_input_tokens=part.cache_read_input_tokens or 0,
        cache_creation_input_tokens=part.written,
        cache_creation_1h_input_tokens=part.written_for_an_hour,
        output_tokens=part.output_tokens,
    )
