"""The agent loop: what a turn needs, its steps, and why it ends."""

from budget_magic.loop.agent import run_turn
from budget_magic.loop.clock import Stopwatch
from budget_magic.loop.contexts import Approver, TaskContext, TurnContext
from budget_magic.loop.conversation import Conversation
from budget_magic.loop.history import History
from budget_magic.loop.reservation_gate import ReservationGate

__all__ = [
    "Approver",
    "Conversation",
    "History",
    "ReservationGate",
    "Stopwatch",
    "TaskContext",
    "TurnContext",
    "run_turn",
]
