"""Parse the `usage` object of a reply into figures that can be right, or into None."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from budget_magic.events import IterationUsage, Usage
from budget_magic.events.usage import OUTSIDE_THE_SUM, TokenCounts

MOST_TOKENS: Final = 100_000_000
"""No reply reads or writes more: a hundred of the largest context windows (1M tokens, 2026-11)."""


def _or(default: object) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value is None else value)


_Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]
_CountOrNone = Annotated[_Count, _or(0)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _CacheCreation(_Strict):
    ephemeral_1h_input_tokens: _CountOrNone = 0


class _Tokens(_Strict):
    input_tokens: _Count
    cache_read_input_tokens: _CountOrNone = 0
    cache_creation_input_tokens: _CountOrNone = 0
    cache_creation: Annotated[_CacheCreation, _or({})] = _CacheCreation()

    def counts(self) -> dict[str, Any]:
        """Return the figures of the prompt under the names of `TokenCounts`."""
        return {
            "input_tokens": self.input_tokens,
            "cache_read_input_tokens": self.cache_read_input_tokens,
            "cache_creation_input_tokens": self.cache_creation_input_tokens,
            "cache_creation_1h_input_tokens": self.cache_creation.ephemeral_1h_input_tokens,
        }


class _Iteration(_Tokens):
    type: str = "message"
    model: str | None = None
    output_tokens: _Count


class _OutputDetails(_Strict):
    thinking_tokens: _CountOrNone = 0


class _ServerTools(_Strict):
    web_search_requests: _CountOrNone = 0


class _PromptUsage(_Tokens):
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None

    def usage(self) -> Usage:
        """Return the figures of the prompt."""
        return Usage(
            **self.counts(),
            service_tier=self.service_tier,
            speed=self.speed,
            inference_geo=self.inference_geo or None,
        )


class _ReplyUsage(_PromptUsage):
    output_tokens: _Count
    output_tokens_details: Annotated[_OutputDetails, _or({})] = _OutputDetails()
    server_tool_use: Annotated[_ServerTools, _or({})] = _ServerTools()
    iterations: Annotated[list[_Iteration], _or([])] = []

    def usage(self) -> Usage:
        """Return the figures of the whole reply."""
        return replace(
            super().usage(),
            output_tokens=self.output_tokens,
            thinking_tokens=min(self.output_tokens_details.thinking_tokens, self.output_tokens),
            web_search_requests=self.server_tool_use.web_search_requests,
            iterations=tuple(
                IterationUsage(
                    **part.counts(),
                    kind=part.type,
                    model=part.model or None,
                    output_tokens=part.output_tokens,
                )
                for part in self.iterations
            ),
        )


def parse_prompt_usage(raw: object) -> Usage | None:
    """Return the input figures of `message_start`, or None if they cannot be right."""
    usage = _parsed(_PromptUsage, raw)
    return usage if usage is not None and usage.prompt_tokens and _is_split_right(usage) else None


def parse_usage(raw: object, *, has_content: bool) -> Usage | None:
    """Return the figures of a whole reply, or None if they cannot be right.

    `raw` is the `usage` object as JSON values, whatever the server put there. A reply that
    `has_content` has output tokens.

    Notes
    -----
    Figures cannot be right if one is missing, not a whole number, negative or beyond 100 million,
    if prompt or output are zero in full, or if the iterations add up to less than the top-level
    figures, which leave some of them out but hold nothing that they do not.

    Examples
    --------
    >>> parse_usage({"input_tokens": 20, "output_tokens": 5}, has_content=True).prompt_tokens
    20
    >>> parse_usage({"input_tokens": 20, "output_tokens": None}, has_content=True) is None
    True
    """
    usage = _parsed(_ReplyUsage, raw)
    if usage is None or not all(map(_is_split_right, (usage, *usage.iterations))):
        return None
    inside = [part for part in usage.iterations if part.kind not in OUTSIDE_THE_SUM]
    outside = [part for part in usage.iterations if part.kind in OUTSIDE_THE_SUM]
    if usage.iterations and (
        sum(part.prompt_tokens for part in inside) < usage.prompt_tokens
        or sum(part.output_tokens for part in inside) < usage.output_tokens
    ):
        return None
    if not any(part.prompt_tokens for part in (usage, *outside)):
        return None
    has_output = any(part.output_tokens for part in (usage, *outside))
    return usage if has_output or not has_content else None


def _parsed(model: type[_PromptUsage], raw: object) -> Usage | None:
    try:
        return model.model_validate(raw).usage()
    except ValidationError:
        return None


def _is_split_right(part: TokenCounts) -> bool:
    return part.cache_creation_1h_input_tokens <= part.cache_creation_input_tokens
