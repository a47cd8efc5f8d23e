"""`Session`: the thread, clients, ceilings, registry, sinks and host that tasks share."""

from __future__ import annotations

import os
import threading
import weakref
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from budget_magic.errors import CLOSED, ConfigurationError
from budget_magic.session.host import Host, PythonHost
from budget_magic.settings import Defaults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from budget_magic.loop import ReservationGate
    from budget_magic.meter.account import Account
    from budget_magic.session.bus import Recorder
    from budget_magic.session.clients import Clients
    from budget_magic.session.portal import Portal
    from budget_magic.session.shared import Shared
    from budget_magic.session.task import Task
    from budget_magic.tools.loop_thread import FunctionLoop


class Session:
    """A set of tasks with the thread they run on and the ceilings they share.

    A process has a default session; tests and experiments may create any number of others. Parts
    are created on first use, so that a session costs nothing until a task runs.

    Parameters
    ----------
    host
        The notebook, terminal or script around it; None is plain Python.
    required_sinks
        Record the facts of all its tasks; if one fails, nothing more is spent. See `Bus`.

    Notes
    -----
    Lock order. A thread that holds one of these locks takes none that stands above it:

    1. `Session._lock`: makes the session's parts, each once
    2. `Clients._lock`: makes the client that `auto` chooses
    3. `TaskControls._lock`: the panel's open questions and offers
    4. `Run._lock`: who stopped a turn, and whether it has begun
    5. locks of views (`LiveTurn`, `PanelSync`) and of `FunctionLoop`: inside them, none is taken

    Accounts, gate, histories and records have no lock: only the session's loop thread changes
    them (`Portal.call`). The registry is a dict, whose single operations are atomic.
    """

    def __init__(
        self, *, host: Host | None = None, required_sinks: Iterable[Recorder] = ()
    ) -> None:
        self.host: Host = host or PythonHost()
        try:
            self.required_sinks = tuple(required_sinks)
        except TypeError:
            kind = type(required_sinks).__name__
            raise ConfigurationError(f"required_sinks is of type {kind}; give a list") from None
        for sink in self.required_sinks:
            if not callable(getattr(sink, "record", None)):
                kind = type(sink).__name__
                raise ConfigurationError(f"{kind} is not a sink: give it a method `record(record)`")
        self._tasks: dict[str, Task] = {}
        self._last: str | None = None
        self._made: Shared | None = None
        self._is_closed = False
        # An interrupt may call back into the session while this thread holds it.
        self._lock = threading.RLock()
        self._of_parent: Shared | None = None
        """In a forked process, the parts that belong to the parent and are not used here."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_begin_in_child, weakref.ref(self)))

    # Tasks

    @property
    def tasks(self) -> Mapping[str, Task]:
        """A live view of the tasks by name, oldest first."""
        return MappingProxyType(self._tasks)

    def register(self, task: Task) -> None:
        """Register a task under its name, in place of an earlier one."""
        self._tasks[task.name] = task

    def note_used(self, task: Task) -> None:
        """Note that a task is the one used last."""
        self._last = task.name

    @property
    def last_used(self) -> str | None:
        """Name of the task used last; None if there is none."""
        return self._last if self._last in self._tasks else None

    # What they share

    @property
    def defaults(self) -> Defaults:
        """The defaults of new tasks, as the host configures them now."""
        return self.host.defaults() or Defaults()

    @property
    def portal(self) -> Portal:
        """The thread on which all turns run."""
        return self._shared().portal

    @property
    def function_loop(self) -> FunctionLoop:
        """The loop on which async functions of notebooks run."""
        return self._shared().function_loop

    @property
    def clients(self) -> Clients:
        """The clients in use, and what was learned about them."""
        return self._shared().clients

    @property
    def gate(self) -> ReservationGate:
        """The reservations of all tasks."""
        return self._shared().gate

    @property
    def account(self) -> Account:
        """The account of all tasks on a real client; `prepare` sets its ceilings."""
        return self._shared().account

    def close(self) -> None:
        """Stop running turns, wait until they are booked, and end the threads; may be repeated."""
        self._is_closed = True
        if self._made is not None:
            self._made.portal.close()
            self._made.function_loop.close()

    def _shared(self) -> Shared:
        if self._made is None:  # an interrupt must find no lock taken once they are made
            from budget_magic.session.shared import Shared  # noqa: PLC0415 - loading stays cheap

            with self._lock:
                if self._made is None and self._is_closed:
                    raise ConfigurationError(CLOSED)
                if self._made is None:
                    self._made = Shared(self._of_parent)
        return self._made

    def _begin_in_child(self) -> None:
        """Give up what a fork does not copy: threads, their loops, and turns that run on them."""
        self._lock = threading.RLock()
        if self._made is not None:
            self._made.leave_to_parent()
            # Kept: closing the copy of a loop would disturb the parent's.
            self._of_parent, self._made = self._made, None
        for task in self._tasks.values():
            task.leave_to_parent()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _begin_in_child(session: weakref.ref[Session]) -> None:
    if (found := session()) is not None:
        found._begin_in_child()  # noqa: SLF001 - a part of the class that must not keep it alive


_default = Session()


def default_session() -> Session:
    """Return the session that tasks use by default."""
    return _default


def set_default_session(session: Session) -> Session:
    """Set the default session, and return the previous one."""
    global _default
    before, _default = _default, session
    return before


def tasks() -> Mapping[str, Task]:
    """Return a live view of the default session's tasks by name, oldest first."""
    return _default.tasks
