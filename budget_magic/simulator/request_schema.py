"""Pydantic models of a Messages API request, and the API's wording of validation errors."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from budget_magic.simulator.errors import ApiError
from budget_magic.simulator.message_schema import (
    ApiModel,
    AsSent,
    AssistantMessage,
    BlockList,
    CacheControl,
    Effort,
    SystemMessage,
    TextBlock,
    UserMessage,
)
from budget_magic.simulator.tokens import JsonObject

_API_MESSAGES: Final = {
    "dict_type": "Input should be an object",
    "model_type": "Input should be an object",
    "model_attributes_type": "Input should be an object",
    "list_type": "Input should be a valid array",
    "none_required": "Extra inputs are not permitted",
    "union_tag_not_found": "Field required",
}
"""The API's messages by type of error, where pydantic's own are worded for Python."""
_HIDDEN_TAGS: Final = ("user", "assistant", "system", "adaptive", "disabled", "between_tools")
"""Tags of unions, which pydantic puts into the path and the API does not."""


def validate_body(body: JsonObject) -> Body:
    """Return the validated body of a request, or raise `ApiError` for its first error.

    A null counts as left out.
    """
    known = Body.model_fields
    given = {key: value for key, value in body.items() if value is not None or key not in known}
    try:
        return Body.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ApiError(_error_message(first)) from None


def one_of(*choices: str) -> str:
    """Return the API's message for a value that is none of these.

    >>> one_of("low", "medium", "high")
    "Input should be 'low', 'medium' or 'high'"
    """
    return "Input should be " + " or ".join(", ".join(map(repr, choices)).rsplit(", ", 1))


def _error_message(error: ErrorDetails) -> str:
    first, *rest = error["loc"]
    path = [first, *(part for part in rest[:-1] if part not in _HIDDEN_TAGS), *rest[-1:]]
    if first == "tools" and len(path) > 2:  # noqa: PLR2004 - tools, index, field
        path.insert(2, "custom")
    context = error.get("ctx", {})
    message = _API_MESSAGES.get(error["type"], error["msg"])
    if error["type"].startswith("union_tag"):
        path.append(context["discriminator"].strip("'"))
    if error["type"] == "union_tag_invalid":
        message = one_of(*context["expected_tags"].strip("'").split("', '"))
    return f"{'.'.join(map(str, path))}: {message}"


class TaskBudget(ApiModel):
    """`output_config.task_budget`."""

    type: Literal["tokens"]
    total: int = Field(ge=1)
    remaining: int | None = Field(None, ge=0)


class OutputConfig(ApiModel):
    """`output_config`."""

    effort: Effort | None = None
    format: Any = None
    task_budget: TaskBudget | None = None


class _BlockBinding(ApiModel):
    prefix_mismatch_behavior: Literal["error", "drop_block"] | None = None


class _ThinkingConfig(ApiModel):
    display: Literal["summarized", "omitted", "updates"] | None = None
    block_binding: _BlockBinding | None = None

    @property
    def drops_mismatches(self) -> bool:
        """Whether a block of another conversation is dropped instead of rejected."""
        binding = self.block_binding
        return binding is not None and binding.prefix_mismatch_behavior == "drop_block"


class PlainThinking(_ThinkingConfig):
    """`thinking` of a type without `budget_tokens`."""

    type: Literal["adaptive", "disabled", "between_tools"]
    budget_tokens: None = None


class EnabledThinking(_ThinkingConfig):
    """`thinking` with `budget_tokens`, for older models."""

    type: Literal["enabled"]
    budget_tokens: int = Field(ge=1_024)


Thinking = PlainThinking | EnabledThinking


class _Summarize(AsSent):
    type: Literal["summarize"]
    instructions: NotRequired[str | None]


class _ToolChoice(AsSent):
    type: Literal["auto", "any", "none"]


class _NamedTool(AsSent):
    type: Literal["tool"]
    name: str


class _InputSchema(AsSent):
    type: Literal["object"]


class _Tool(AsSent):
    type: NotRequired[Literal["custom"]]
    cache_control: NotRequired[CacheControl | None]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    input_schema: _InputSchema


class Body(BaseModel, strict=True, extra="forbid"):
    """The body of a request to `/v1/messages`."""

    model: str
    max_tokens: int = Field(ge=0)
    messages: list[
        Annotated[UserMessage | AssistantMessage | SystemMessage, Field(discriminator="role")]
    ]
    system: BlockList[TextBlock] = []
    tools: list[_Tool] = []
    tool_choice: Annotated[_ToolChoice | _NamedTool, Field(discriminator="type")] = {"type": "auto"}
    stream: bool = False
    stop_sequences: list[str] = []
    thinking: Annotated[Thinking, Field(discriminator="type")] | None = None
    output_config: OutputConfig = OutputConfig()
    cache_control: CacheControl | None = None
    speed: Literal["standard", "fast"] = "standard"
    inference_geo: Literal["us", "global"] | None = None
    compaction: _Summarize | None = None
    temperature: Any = 1
    top_p: Any = 1
    top_k: Any = None
    metadata: Any = None
    service_tier: Any = None
    diagnostics: Any = None
    betas: Any = None
    context_management: Any = None
    container: Any = None
    mcp_servers: Any = None
