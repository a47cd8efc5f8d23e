"""Whether usage figures can be right for the request that they answer."""

from __future__ import annotations

from typing import Final

from budget_magic.events import IterationUsage, Usage
from budget_magic.models import Model, find_model

MOST_CHARACTERS_PER_TOKEN: Final = 32
"""More than any ordinary reply has on average; long runs of spaces come nearest."""
MOST_PROMPT_BYTES_PER_TOKEN: Final = 8
"""Likewise, of a whole prompt as UTF-8."""


def is_count_possible(tokens: int, prompt_bytes: int) -> bool:
    """Return whether a count of a prompt can be right for its size."""
    return tokens > 0 and prompt_bytes // MOST_PROMPT_BYTES_PER_TOKEN <= tokens


def is_prompt_possible(usage: Usage, model: Model | None) -> bool:
    """Return whether the prompt fits the context window of the model that read it.

    Parameters
    ----------
    usage
        Figures of a reply, or those with which it began.
    model
        The model that was asked; None where the table does not know it.
    """
    return all(
        reader is None or part.prompt_tokens <= reader.context_tokens
        for part in usage.parts
        for reader in [_model_of(part, model)]
    )


def is_reply_possible(
    usage: Usage, model: Model | None, *, max_tokens: int, characters: int, searches: int
) -> bool:
    """Return whether a reply can have used what its figures say.

    Parameters
    ----------
    usage
        Figures of the whole reply.
    model
        The model that was asked; None where the table does not know it.
    max_tokens
        Of the request.
    characters
        Of text and input of calls that streamed.
    searches
        Calls of the server's tools in the reply.
    """
    return (
        is_prompt_possible(usage, model)
        and characters // MOST_CHARACTERS_PER_TOKEN <= usage.output_tokens <= max_tokens
        and usage.web_search_requests <= searches
        and all(
            writer is None or part.output_tokens <= writer.max_output_tokens
            for part in usage.iterations
            for writer in [_model_of(part, model)]
        )
    )


def _model_of(part: IterationUsage, asked: Model | None) -> Model | None:
    return (find_model(part.model) if part.model else None) or asked
