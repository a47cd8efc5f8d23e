"""The parts of a session that its tasks share, created together on first use."""

from __future__ import annotations

from budget_magic.loop import ReservationGate
from budget_magic.meter.account import Account
from budget_magic.session.clients import Clients
from budget_magic.session.portal import Portal
from budget_magic.tools.loop_thread import FunctionLoop


class Shared:
    """The event loops, clients, reservations and account of a session."""

    def __init__(self) -> None:
        self.portal = Portal()
        self.function_loop = FunctionLoop()
        self.clients = Clients(self.portal)
        self.gate = ReservationGate()
        self.account = Account(name="this kernel session", cost_usd=None, total_tokens=None)
