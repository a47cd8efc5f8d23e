"""The parts of a session that its tasks share, created together on first use."""

from __future__ import annotations

import atexit

from budget_magic.loop import ReservationGate
from budget_magic.meter.account import Account
from budget_magic.session.clients import Clients
from budget_magic.session.portal import Portal
from budget_magic.tools.loop_thread import FunctionLoop


class Shared:
    """The event loops, clients, reservations and account of a session.

    In a forked process, `of_parent` are the parent's, whose account is continued.
    """

    def __init__(self, of_parent: Shared | None = None) -> None:
        self.portal = Portal()
        self.function_loop = FunctionLoop()
        self.clients = Clients(self.portal)
        self.gate = ReservationGate()
        self.account: Account = (
            Account(name="this kernel session", cost_usd=None, total_tokens=None)
            if of_parent is None
            else of_parent.account
        )

    def leave_to_parent(self) -> None:
        """Do nothing at the exit of this forked process; requests under way are the parent's."""
        atexit.unregister(self.portal.close)
        self.account.forget_held()
