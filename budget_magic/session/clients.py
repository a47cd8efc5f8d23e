"""Choose a task's client: the real API, the simulator, or an object of the notebook."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from budget_magic.errors import ConfigurationError
from budget_magic.events import Suggestion
from budget_magic.session.portal import Portal
from budget_magic.wire import Learned

if TYPE_CHECKING:
    from budget_magic.wire.sdk import SdkClient

AUTO: Final = "auto"
SIMULATOR: Final = "simulator"
ANTHROPIC: Final = "anthropic"
CHOICE_VARIABLE: Final = "BUDGET_MAGIC_CLIENT"
NO_KEY: Final = "no API key found"
ASKED_FOR: Final = "the simulator was asked for"
_SIMULATE: Final = Suggestion(action="use", changes={"client": SIMULATOR}, lead="or choose")
_CREDENTIALS: Final = {
    "api_key": "ANTHROPIC_API_KEY",
    "auth_token": "ANTHROPIC_AUTH_TOKEN",
    "aws_secret_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
    "access_token": "ACCESS_TOKEN",
}
"""Attributes of the SDK's clients that hold credentials, and the names shown in their place."""
PACE_TOKENS_PER_S: Final = 900.0
"""How fast the simulator streams if a user is attached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A client, its name, and why Claude is simulated, if it is."""

    name: str
    client: SdkClient
    simulated: str | None
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names and values of the credentials that it holds, to be redacted."""


class Clients:
    """The clients of a session, and what was learned about those that users pass."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._lock = threading.Lock()
        self._real: Chosen | None = None
        """The client that `auto` made last."""
        self._made_under: tuple[tuple[str, str], ...] = ()
        """The environment variables that it was made from."""
        self._learned: WeakKeyDictionary[object, Learned] = WeakKeyDictionary()

    def choose(
        self,
        wanted: object,
        *,
        name: str = "client",
        someone_watches: bool,
        environ: Mapping[str, str] = os.environ,
    ) -> Chosen:
        """Return the client that answers, or raise ConfigurationError.

        Parameters
        ----------
        wanted
            `"auto"`, `"simulator"`, or an object with `.beta.messages.stream`.
        name
            Name of that object in the notebook.
        someone_watches
            Whether a user is attached: only then does `auto` fall back to the simulator, which then
            streams at a readable pace.
        """
        if wanted == AUTO:
            wanted = SIMULATOR if environ.get(CHOICE_VARIABLE) == SIMULATOR else AUTO
        if wanted == SIMULATOR:
            return self._simulator(ASKED_FOR, someone_watches=someone_watches)
        if wanted != AUTO:
            return self._own(wanted, name)
        real = self._real_client()
        if real is not None:
            return real
        if environ.get("ANTHROPIC_BASE_URL"):
            raise ConfigurationError(
                "ANTHROPIC_BASE_URL is set, but no credential: set ANTHROPIC_API_KEY too", _SIMULATE
            )
        if not someone_watches:
            raise ConfigurationError(
                "no API key found, and no user is attached to see that Claude is simulated: set"
                " ANTHROPIC_API_KEY",
                _SIMULATE,
            )
        return self._simulator(NO_KEY, someone_watches=someone_watches)

    def kind_of_auto(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return what `auto` would choose now: `anthropic` or `simulator`."""
        if environ.get(CHOICE_VARIABLE) == SIMULATOR:
            return SIMULATOR
        if environ.get("ANTHROPIC_API_KEY") or environ.get("ANTHROPIC_AUTH_TOKEN"):
            return ANTHROPIC
        return SIMULATOR if self._real_client() is None else ANTHROPIC

    def _real_client(self) -> Chosen | None:
        """Return the client with the SDK's credentials, recreated when the variables change."""
        under = tuple(
            sorted(
                (name, value)
                for name, value in os.environ.items()
                if name.startswith("ANTHROPIC_") and not name.endswith("_BUDGET")
            )
        )
        with self._lock:
            if self._real is None or self._made_under != under:
                self._real, self._made_under = self._make_real(), under
            return self._real

    def _make_real(self) -> Chosen | None:
        from budget_magic.wire import sdk  # noqa: PLC0415 - imports anthropic

        client = sdk.real_client()
        if client is None:
            return None
        wire = sdk.SdkClient(client)
        self._portal.close_with(wire, client.close)
        return Chosen(name=ANTHROPIC, client=wire, simulated=None, secrets=_secrets_of(client))

    def _own(self, wanted: Any, name: str) -> Chosen:
        from budget_magic.wire import sdk  # noqa: PLC0415 - imports anthropic

        client = sdk.SdkClient(wanted, self._learned_of(wanted))
        return Chosen(name=name, client=client, simulated=None, secrets=_secrets_of(wanted))

    def _learned_of(self, client: object) -> Learned:
        """Return what all tasks of this session have learned about a client object."""
        try:
            return self._learned.setdefault(client, Learned())
        except TypeError:  # it supports no weak references: each task learns for itself
            return Learned()

    def _simulator(self, why: str, *, someone_watches: bool) -> Chosen:
        from budget_magic.simulator import Simulator  # noqa: PLC0415 - needed for few tasks
        from budget_magic.wire import sdk  # noqa: PLC0415 - imports anthropic

        pace = PACE_TOKENS_PER_S if someone_watches else None
        played = Simulator("audit", pace_tokens_per_s=pace, keeps_bodies=False)
        client = sdk.simulated_client(played.transport())
        wire = sdk.SdkClient(client)
        self._portal.close_with(wire, client.close)
        return Chosen(name=SIMULATOR, client=wire, simulated=why)


def _secrets_of(client: object) -> tuple[tuple[str, str], ...]:
    held = ((name, getattr(client, attribute, None)) for attribute, name in _CREDENTIALS.items())
    return tuple((name, value) for name, value in held if isinstance(value, str))
