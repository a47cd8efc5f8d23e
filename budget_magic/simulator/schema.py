"""The shapes of a Messages API request, and the API's sentences for a body of another shape."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    with_config,
)
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on

from budget_magic.simulator.refusal import Refused
from budget_magic.simulator.tokens import JsonObject

_T = TypeVar("_T")
_SENTENCES: Final = {
    "dict_type": "Input should be an object",
    "model_type": "Input should be an object",
    "model_attributes_type": "Input should be an object",
    "list_type": "Input should be a valid array",
    "none_required": "Extra inputs are not permitted",
    "union_tag_not_found": "Field required",
}
"""What the API says where pydantic words it for Python."""
_UNNAMED: Final = frozenset(
    {"user", "assistant", "system", "adaptive", "disabled", "between_tools"}
)
"""Tags of pydantic's unions that are no part of a path."""


def validate(body: JsonObject) -> Body:
    """Return the body with its types, required fields and ranges checked.

    Raises
    ------
    Refused
        The body has another shape; the message is the API's for the first error.
    """
    left_out = {key for key in body if body[key] is None and key in Body.model_fields}
    given = {key: value for key, value in body.items() if key not in left_out}
    try:
        return Body.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Refused(_sentence(first)) from None


def one_of(*choices: str) -> str:
    """Return the API's sentence for a value that is none of these.

    >>> one_of("low", "medium", "high")
    "Input should be 'low', 'medium' or 'high'"
    """
    return "Input should be " + " or ".join(", ".join(map(repr, choices)).rsplit(", ", 1))


def _sentence(error: ErrorDetails) -> str:
    first, *rest = error["loc"]
    path = [first, *(part for part in rest[:-1] if part not in _UNNAMED), *rest[-1:]]
    if first == "tools" and len(path) > 2:  # noqa: PLR2004 - tools, place, field
        path.insert(2, "custom")
    context = error.get("ctx", {})
    message = _SENTENCES.get(error["type"], error["msg"])
    if error["type"].startswith("union_tag"):
        path.append(context["discriminator"].strip("'"))
    if error["type"] == "union_tag_invalid":
        message = one_of(*context["expected_tags"].strip("'").split("', '"))
    return f"{'.'.join(map(str, path))}: {message}"


def _as_blocks(content: object) -> object:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content


def _not_empty(text: str) -> str:
    if not text:
        raise Refused("messages: text content blocks must be non-empty")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise Refused("messages: text content blocks must contain non-whitespace text")
    return text


_Content = Annotated[list[_T], BeforeValidator(_as_blocks)]
_Id = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
_PartText = Annotated[str, AfterValidator(_not_empty)]
_BlockText = Annotated[_PartText, AfterValidator(_not_blank)]
Effort = Literal["low", "medium", "high", "xhigh", "max"]


@with_config(ConfigDict(strict=True, extra="allow"))
class _AsSent(TypedDict):
    """Base of what is checked and then kept as the client sent it."""


class CacheControl(_AsSent):
    """`cache_control` of the request, a tool or a block."""

    type: Literal["ephemeral"]
    ttl: NotRequired[Literal["5m", "1h"]]


class _Block(_AsSent):
    cache_control: NotRequired[CacheControl | None]


class _Text(_Block):
    type: Literal["text"]
    text: _BlockText


class _PartOfResult(_Block):
    type: Literal["text"]
    text: _PartText


class _Media(_Block):
    type: Literal["image", "document"]


class _ToolUse(_Block):
    type: Literal["tool_use"]
    id: _Id
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,200}$")]
    input: JsonObject


class _ToolResult(_Block):
    type: Literal["tool_result"]
    tool_use_id: _Id
    content: NotRequired[
        _Content[Annotated[_PartOfResult | _Media, Field(discriminator="type")]] | None
    ]


class _ThinkingBlock(_AsSent):
    type: Literal["thinking"]
    thinking: str
    signature: str
    cache_control: NotRequired[None]


class _RedactedThinking(_AsSent):
    type: Literal["redacted_thinking"]
    cache_control: NotRequired[None]


@with_config(ConfigDict(strict=True, extra="forbid"))
class _Compaction(TypedDict):
    type: Literal["compaction"]
    content: NotRequired[str | None]
    encrypted_content: NotRequired[str]
    signature: str
    cache_control: NotRequired[CacheControl]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _UserMessage(_Shape):
    role: Literal["user"]
    content: _Content[
        Annotated[_Text | _ToolResult | _Media | _Compaction, Field(discriminator="type")]
    ]


class _AssistantMessage(_Shape):
    role: Literal["assistant"]
    content: _Content[
        Annotated[
            _Text | _ToolUse | _ThinkingBlock | _RedactedThinking | _Compaction,
            Field(discriminator="type"),
        ]
    ]


class _MessageConfig(_Shape):
    effort: Effort | None = None


class SystemMessage(_Shape):
    """A message that changes the effort from its place on."""

    role: Literal["system"]
    content: _Content[_Text]
    output_config: _MessageConfig | None = None
    clear_at: Any = None


SentMessage = _UserMessage | _AssistantMessage | SystemMessage


class TaskBudget(_Shape):
    """`output_config.task_budget`."""

    type: Literal["tokens"]
    total: int = Field(ge=1)
    remaining: int | None = Field(None, ge=0)


class OutputConfig(_Shape):
    """`output_config`."""

    effort: Effort | None = None
    format: Any = None
    task_budget: TaskBudget | None = None


class _BlockBinding(_Shape):
    prefix_mismatch_behavior: Literal["error", "drop_block"] | None = None


class _ThinkingConfig(_Shape):
    display: Literal["summarized", "omitted", "updates"] | None = None
    block_binding: _BlockBinding | None = None

    @property
    def drops_mismatches(self) -> bool:
        """Whether a block of another conversation is dropped instead of refused."""
        binding = self.block_binding
        return binding is not None and binding.prefix_mismatch_behavior == "drop_block"


class PlainThinking(_ThinkingConfig):
    """`thinking` of any type without a budget of its own."""

    type: Literal["adaptive", "disabled", "between_tools"]
    budget_tokens: None = None


class EnabledThinking(_ThinkingConfig):
    """`thinking` with a budget of its own, as older models take it."""

    type: Literal["enabled"]
    budget_tokens: int = Field(ge=1_024)


Thinking = PlainThinking | EnabledThinking


class _Summarize(_AsSent):
    type: Literal["summarize"]
    instructions: NotRequired[str | None]


class _ToolChoice(_AsSent):
    type: Literal["auto", "any", "none"]


class _NamedTool(_AsSent):
    type: Literal["tool"]
    name: str


class _InputSchema(_AsSent):
    type: Literal["object"]


class _Tool(_AsSent):
    type: NotRequired[Literal["custom"]]
    cache_control: NotRequired[CacheControl | None]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    input_schema: _InputSchema


class Body(_Shape):
    """The JSON of a request; a null counts as left out."""

    model: str
    max_tokens: int = Field(ge=0)
    messages: list[Annotated[SentMessage, Field(discriminator="role")]]
    system: _Content[_Text] = []
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
