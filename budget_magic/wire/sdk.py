"""The only module that speaks through the `anthropic` SDK; its errors are translated here.

Importing it takes two seconds, so it is imported when the first task chooses its client.
"""

from __future__ import annotations

import email.utils
import json
import logging
import math
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import anthropic
import anyio
import httpx2
from anthropic import AsyncAnthropic

from budget_magic.errors import ApiError, BudgetMagicError, ConfigurationError, ConnectionBroken
from budget_magic.events import DeltaKind
from budget_magic.wire.learned import Learned
from budget_magic.wire.request import Request
from budget_magic.wire.stream import (
    BlockStart,
    ContentDelta,
    MessageStart,
    Refusal,
    Reply,
    WireEvent,
)
from budget_magic.wire.usage import parse_prompt_usage, parse_usage

logger = logging.getLogger("budget_magic")

SIMULATOR_URL: Final = "http://simulator.invalid"
_UNCOMPRESSED: Final = {"accept-encoding": "identity"}
_TAKE_INFERENCE_GEO: Final = frozenset({"AsyncAnthropic", "AsyncAnthropicAWS"})
"""The API itself and the Claude Platform on AWS (their "Data residency" pages, 2026-11)."""
DRAIN_S: Final = 0.5
LONGEST_REASON: Final = 500
"""Characters shown of an error of the SDK; some hold everything that had streamed."""
LONGEST_MESSAGE: Final = 2_000
"""Characters kept of a server's error message, which may be a whole page of a proxy."""
BAD_HEADER: Final = (
    "a header holds a character that HTTP forbids: look for a line end in the API key, or in what"
    " the client adds"
)
_BLOCKS: Final[dict[str, DeltaKind]] = {
    "thinking": "thinking",
    "text": "text",
    "tool_use": "call",
    "server_tool_use": "call",
    "mcp_tool_use": "call",
}
_DELTA_TEXTS: Final = {
    "text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json",
}  # fmt: skip


class SdkClient:
    """What the loop talks to: any object of the SDK that has `.beta.messages.stream`.

    Parameters
    ----------
    client
        AsyncAnthropic or one of its siblings for other clouds; retries are switched off.
    learned
        What earlier replies of the same client have shown; None if it is new.

    Raises
    ------
    ConfigurationError
        The object cannot be a client (see `check_client`), or has no credential.
    """

    def __init__(self, client: Any, learned: Learned | None = None) -> None:
        check_client(client)
        if _lacks_credentials(client):
            raise ConfigurationError(
                f"the {type(client).__name__} has no credential: pass an api_key or set"
                " ANTHROPIC_API_KEY"
            )
        with_options = getattr(client, "with_options", None)
        self._client = with_options(max_retries=0) if with_options else client
        self.learned = Learned() if learned is None else learned
        """Changed on the loop's thread only."""
        self.takes_inference_geo = _sdk_class(client) in _TAKE_INFERENCE_GEO
        """Whether the server knows `inference_geo`: the first-party API does."""

    async def stream(self, request: Request) -> AsyncGenerator[WireEvent, None]:
        """Yield the events of one reply, the last a `Reply`.

        Raises
        ------
        ApiError
            The server refused, by status or mid-stream.
        ConnectionBroken
            No connection, a dropped stream, or one without `message_stop`.
        """
        with _translated():
            async with (
                self._client.beta.messages.stream(
                    **request.as_params(), extra_headers=_UNCOMPRESSED
                ) as stream,
                aclosing(_events(stream)) as events,
            ):
                _refuse_compressed(getattr(stream, "response", None))
                with _unreadable():
                    async for event in events:
                        yield event

    async def count_tokens(self, request: Request) -> int | None:
        """Return the API's own estimate of the prompt in tokens; None if it is not available."""
        count = getattr(_beta_messages(self._client), "count_tokens", None)
        if count is None:
            return None
        try:
            with _translated():
                counted = await count(**request.as_count_params(), extra_headers=_UNCOMPRESSED)
        except (ApiError, ConnectionBroken) as error:
            logger.debug("count_tokens failed: %s", type(error).__name__)
            return None
        tokens = getattr(counted, "input_tokens", None)
        return tokens if type(tokens) is int and tokens >= 0 else None


def check_client(client: Any) -> None:
    """Check that an object can be the client of a task.

    Raises
    ------
    ConfigurationError
        It has no `.beta.messages.stream`, or is a synchronous client.
    """
    if isinstance(client, type):
        name = client.__name__
        raise ConfigurationError(f"{name} is a class: pass a client, such as {name}()")
    kind = type(client).__name__
    if not callable(getattr(_beta_messages(client), "stream", None)):
        raise ConfigurationError(
            f"{kind} is not a client: pass an AsyncAnthropic or another object with"
            " .beta.messages.stream"
        )
    if hasattr(client, "__enter__") and not hasattr(client, "__aenter__"):
        raise ConfigurationError(
            f"{kind} is a synchronous client; use its async counterpart, such as AsyncAnthropic"
        )


def real_client() -> AsyncAnthropic | None:
    """Return a client with the credentials that the SDK finds; None if it finds none."""
    try:
        client = AsyncAnthropic(
            max_retries=0,
            http_client=anthropic.DefaultAsyncHttpxClient(
                event_hooks={"response": [_refuse_compressed_response]}
            ),
        )
    except (anthropic.AnthropicError, ValueError) as error:
        raise ConfigurationError(f"the credentials cannot be used: {error}") from error
    if client.api_key or client.auth_token or client.credentials is not None:
        return client
    return None


def simulated_client(transport: httpx2.AsyncBaseTransport) -> AsyncAnthropic:
    """Return the real SDK client over a transport that plays the Messages API in process."""
    return AsyncAnthropic(
        api_key="simulated",
        base_url=SIMULATOR_URL,
        max_retries=0,
        http_client=httpx2.AsyncClient(transport=transport),
    )


async def _refuse_compressed_response(response: httpx2.Response) -> None:
    _refuse_compressed(response)


def _refuse_compressed(response: Any) -> None:
    """Refuse a compressed body: a small one may expand to gigabytes, which no ceiling would stop.

    Raises
    ------
    ConnectionBroken
        The server compressed what was asked for without compression.
    """
    encoding = "" if response is None else response.headers.get("content-encoding", "")
    if encoding not in {"", "identity"}:
        raise ConnectionBroken(
            f"the server compressed its reply ({encoding[:40]}) although it was asked not to",
            reached=True,
        )


def _sdk_class(client: object) -> str:
    """Return the name of a client's class within the SDK; empty for another object."""
    own = (one for one in type(client).__mro__ if one.__module__.partition(".")[0] == "anthropic")
    return next((one.__name__ for one in own), "")


def _beta_messages(client: Any) -> Any:
    return getattr(getattr(client, "beta", None), "messages", None)


def _lacks_credentials(client: Any) -> bool:
    """Return whether a client of the API itself cannot sign in; clouds sign in otherwise."""
    if type(client) is not AsyncAnthropic:
        return False
    named = {name.lower() for name, value in client.default_headers.items() if value}
    return not (
        client.api_key
        or client.auth_token
        or client.credentials is not None
        or named & {"x-api-key", "authorization"}
    )


async def _events(stream: Any) -> AsyncGenerator[WireEvent, None]:
    kinds: dict[int, DeltaKind] = {}
    inputs: dict[int, list[str]] = {}
    is_counted = False
    async for event in stream:
        match event.type:
            case "message_start":
                yield MessageStart(usage=parse_prompt_usage(_plain(event.message).get("usage")))
            case "content_block_start":
                kind = _BLOCKS.get(str(event.content_block.type))
                if kind is not None:
                    kinds[event.index] = kind
                    name = getattr(event.content_block, "name", "")
                    yield BlockStart(block=event.index, kind=kind, name=_text(name))
            case "content_block_delta":
                text = _delta_text(event.delta)
                if event.delta.type == "input_json_delta":
                    inputs.setdefault(event.index, []).append(text)
                if text and event.index in kinds:
                    yield ContentDelta(block=event.index, kind=kinds[event.index], text=text)
            case "message_delta":
                # Until then the snapshot has the placeholder of `message_start` as its output.
                output_tokens = getattr(getattr(event, "usage", None), "output_tokens", None)
                is_counted = is_counted or type(output_tokens) is int
            case "message_stop":
                reply = _reply(stream, {at: "".join(parts) for at, parts in inputs.items()})
                yield reply if is_counted else replace(reply, usage=None)
                await _drain(stream)
                return
    raise ConnectionBroken("the stream ended before message_stop", reached=True)


async def _drain(stream: Any) -> None:
    """Read a reply to the end of its body, which normally follows immediately.

    Otherwise Python closes the SDK's unfinished generators at some later moment, in any thread,
    and logs to stderr.
    """
    with anyio.move_on_after(DRAIN_S):
        async for _ in stream:
            pass


def _delta_text(delta: Any) -> str:
    field = _DELTA_TEXTS.get(str(delta.type))
    return "" if field is None else _text(getattr(delta, field))


def _text(value: object) -> str:
    """Return a text that the server sent; empty if it is not a text."""
    return value if isinstance(value, str) else ""


def _reply(stream: Any, inputs: Mapping[int, str]) -> Reply:
    """Return the reply of a stream at its end.

    `inputs` holds the streamed input of calls, by index of the block. The SDK completes truncated
    JSON; here it stays text, so that the call is recognised as malformed.
    """
    message = _plain(stream.current_message_snapshot)
    content = message["content"]
    for index, block in enumerate(content):
        block.pop("parsed_output", None)
        if index in inputs and not _is_whole(inputs[index]):
            block["input"] = inputs[index]
    return Reply(
        content=tuple(content),
        stop_reason=_text(message.get("stop_reason")) or None,
        usage=parse_usage(message.get("usage"), has_content=bool(content)),
        model=_text(message.get("model")) or None,
        request_id=stream.request_id,
        refusal=_refusal(message.get("stop_details")),
    )


def _refusal(details: object) -> Refusal:
    """Return what `stop_details` says of a refusal."""
    if not isinstance(details, Mapping):
        return Refusal()
    category, explanation = details.get("category"), details.get("explanation")
    return Refusal(category=_text(category), explanation=_text(explanation))


def _plain(message: Any) -> dict[str, Any]:
    """Return a message as JSON values, without warnings for unexpected types."""
    return dict(message.to_dict(warnings=False))


def _is_whole(text: str) -> bool:
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return not text
    return True


@contextmanager
def _unreadable() -> Iterator[None]:
    """Translate errors of the SDK or this module about what the server streamed."""
    try:
        yield
    except (anthropic.AnthropicError, httpx2.HTTPError, ConnectionBroken):
        raise
    except Exception as error:
        raise _not_readable(error) from error


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except anthropic.APIStatusError as error:
        raise ApiError(
            " ".join((_text(error.api_message) or error.message).split())[:LONGEST_MESSAGE],
            status=error.status_code,
            error_type=_text(error.type) or None,
            error_code=_text(error.error_code) or None,
            retry_after_s=_retry_after_s(error.response.headers),
        ) from error
    except anthropic.APIConnectionError as error:
        raise _not_connected(error.__cause__ or error) from error
    except httpx2.HTTPError as error:
        raise ConnectionBroken(_named(error), reached=True) from error
    except anthropic.AnthropicError as error:
        raise ConfigurationError(f"the client cannot send: {error}") from error
    except TypeError as error:
        # The SDK's own way to say that a client has no credential.
        if "authentication method" not in str(error):
            raise
        raise ConfigurationError("the client has no credential; pass an api_key") from error
    except UnicodeEncodeError as error:
        told = "the request holds half of a surrogate pair, which UTF-8 cannot encode"
        raise ConfigurationError(f"{told}: {_named(error)[:LONGEST_REASON]}") from error
    except ValueError as error:
        raise _not_readable(error) from error


def _not_connected(cause: BaseException) -> BudgetMagicError:
    if isinstance(cause, ConnectionBroken):
        return cause
    if isinstance(cause, httpx2.LocalProtocolError) and "header" in str(cause):
        return ConfigurationError(BAD_HEADER)
    # With these, no connection was made: name, TCP, TLS, proxy, pool, or an invalid URL.
    # After a broken write, the server may have read enough.
    never_made = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
        httpx2.InvalidURL,
    )
    return ConnectionBroken(_named(cause), reached=not isinstance(cause, never_made))


def _not_readable(error: Exception) -> ConnectionBroken:
    why = _named(error)[:LONGEST_REASON]
    return ConnectionBroken(f"the stream could not be read: {why}", reached=True)


def _named(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _retry_after_s(headers: Any) -> float | None:
    """Return the seconds that a server asks to wait, finite and not negative; None if unreadable.

    `retry-after-ms` takes precedence over `retry-after`, which holds seconds or a date.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return max(milliseconds / 1000, 0.0)
    after = headers.get("retry-after", "")
    seconds = _number(after)
    if seconds is None:
        try:
            moment = email.utils.parsedate_to_datetime(after)
        except (ValueError, OverflowError, LookupError, TypeError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
