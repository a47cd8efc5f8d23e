"""Error responses of the simulated API, with the statuses, types and JSON of the real one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from budget_magic.errors import BudgetMagicError
from budget_magic.simulator.tokens import JsonObject

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""`error.type` by status; `api_error` for all others."""


class ApiError(BudgetMagicError):
    """The API answers a request with an error status.

    `error_type` defaults to the type of the status; `error_code` goes into `error.details`.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
        error_type: str | None = None,
        error_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.headers = dict(headers or {})
        self.error_type = error_type or _TYPES.get(status, "api_error")
        self.error_code = error_code

    def body(self, request_id: str) -> JsonObject:
        """Return the JSON of a response body or of an `error` event."""
        error: JsonObject = {"type": self.error_type, "message": self.message}
        if self.error_code is not None:
            error["details"] = {"error_code": self.error_code}
        return {"type": "error", "error": error, "request_id": request_id}
