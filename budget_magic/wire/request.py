"""One request to the Messages API: what is sent, with cache breakpoints and beta headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

BUDGET_BETA: Final = "task-budgets-2026-03-13"
EFFORT_PER_MESSAGE_BETA: Final = "mid-conversation-output-config-2026-07-01"
THINKING_BINDING_BETA: Final = "thinking-binding-controls-2026-08-01"
BREAKPOINT: Final = {"type": "ephemeral"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent; the messages are those of the history, unedited."""

    model: str
    max_tokens: int
    system: str
    tools: tuple[dict[str, Any], ...]
    messages: tuple[dict[str, Any], ...]
    effort: str | None
    """Top-level effort; None if the model has no effort parameter."""
    budget: int | None
    remaining: int | None = None
    """Carried over after a rewrite of the history; None lets the server count."""
    adaptive_thinking: bool = True
    drops_bound_thinking: bool = False
    """Whether thinking from before a change of tools is dropped instead of refused."""
    breakpoints: tuple[int, ...] = ()
    """Indices of the messages whose last block ends a cached prefix."""
    inference_geo: str | None = None
    """Region that must serve the request; None leaves it to the workspace's default."""

    def as_params(self) -> dict[str, Any]:
        """Return the keyword arguments for `client.beta.messages.stream`.

        >>> Request(model="m", max_tokens=9, system="", tools=(), messages=(), effort="low",
        ...         budget=20_000).as_params()["betas"]
        ['task-budgets-2026-03-13']
        """
        params = {**self.as_count_params(), "max_tokens": self.max_tokens}
        if self.inference_geo is not None:
            params["inference_geo"] = self.inference_geo
        return params

    def as_count_params(self) -> dict[str, Any]:
        """Return the keyword arguments for `client.beta.messages.count_tokens`."""
        params: dict[str, Any] = {"model": self.model, "messages": self._marked_messages()}
        if self.system:
            params["system"] = [
                {"type": "text", "text": self.system, "cache_control": dict(BREAKPOINT)}
            ]
        if self.tools:
            params["tools"] = list(self.tools)
        if self.adaptive_thinking:
            params["thinking"] = self._thinking()
        if config := self._output_config():
            params["output_config"] = config
        if betas := self._betas():
            params["betas"] = betas
        return params

    def _thinking(self) -> dict[str, Any]:
        thinking: dict[str, Any] = {"type": "adaptive", "display": "summarized"}
        if self.drops_bound_thinking:
            thinking["block_binding"] = {"prefix_mismatch_behavior": "drop_block"}
        return thinking

    def _output_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {}
        if self.effort is not None:
            config["effort"] = self.effort
        if self.budget is not None:
            config["task_budget"] = {"type": "tokens", "total": self.budget}
            if self.remaining is not None:
                config["task_budget"]["remaining"] = self.remaining
        return config

    def _betas(self) -> list[str]:
        betas = [BUDGET_BETA] if self.budget is not None else []
        if any(message["role"] == "system" for message in self.messages):
            betas.append(EFFORT_PER_MESSAGE_BETA)
        if self.drops_bound_thinking:
            betas.append(THINKING_BINDING_BETA)
        return betas

    def _marked_messages(self) -> list[dict[str, Any]]:
        messages = list(self.messages)
        for index in self.breakpoints:
            *before, last = messages[index]["content"]
            marked = {**last, "cache_control": dict(BREAKPOINT)}
            messages[index] = {**messages[index], "content": [*before, marked]}
        return messages
