"""Whether usage figures are possible for the request that they answer."""

from __future__ import annotations

from typing import Final

from budget_magic.events import IterationUsage, Usage
from budget_magic.events.usage import OUTSIDE_THE_SUM
from budget_magic.models import Model, find_model

MOST_CHARACTERS_PER_TOKEN: Final = 32
"""Above the average of any ordinary reply; long runs of spaces come nearest."""
MOST_PROMPT_BYTES_PER_TOKEN: Final = 8
"""The same for a whole prompt, in UTF-8 bytes."""


def is_count_possible(tokens: int, prompt_bytes: int) -> bool:
    """Return whether a token count is possible for a prompt of this size."""
    return tokens > 0 and prompt_bytes // MOST_PROMPT_BYTES_PER_TOKEN <= tokens


def is_prompt_possible(usage: Usage, model: Model | None) -> bool:
    """Return whether the prompt fits the context window of the model that read it.

    `model` is the requested one; None if the table does not know it.
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
    usage, model
        Figures of the whole reply, and the requested model; None if the table does not know it.
    max_tokens
        Limit of the request.
    characters
        Streamed characters of text and calls.
    searches
        Calls of the server's tools in the reply.
    """
    inside = [part for part in usage.iterations if part.kind not in OUTSIDE_THE_SUM]
    return (
        is_prompt_possible(usage, model)
        and characters // MOST_CHARACTERS_PER_TOKEN <= usage.output_tokens <= max_tokens
        and sum(part.output_tokens for part in inside) <= max_tokens
        and usage.web_search_requests <= searches
        and all(
            writer is None or part.output_tokens <= writer.max_output_tokens
            for part in usage.iterations
            for writer in [_model_of(part, model)]
        )
    )


def _model_of(part: IterationUsage, asked: Model | None) -> Model | None:
    return (find_model(part.model) if part.model else None) or asked
