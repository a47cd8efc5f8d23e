"""How the simulated API says no: the statuses, error types and JSON of the real one."""

from __future__ import annotations

from collections.abc import Mapping

from budget_magic.errors import BudgetMagicError
from budget_magic.simulator.tokens import JsonObject

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""`error.type` by status."""


class Refused(BudgetMagicError):  # noqa: N818 - the server says no, as asked to
    """A request that the simulated API answers with an error status.

    Parameters
    ----------
    message
        `error.message` of the body.
    status
        HTTP status; `error.type` follows from it.
    headers
        Further response headers, such as `retry-after`.
    error_type
        Instead of the type that belongs to the status.
    error_code
        `error.details.error_code`; None leaves `details` out.
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
        self.error_type = error_type or ERROR_TYPES.get(status, "api_error")
        self.error_code = error_code


def error_body(
    error_type: str, message: str, request_id: str, error_code: str | None = None
) -> JsonObject:
    """The JSON of an error, as the body of a response or the data of an `error` event."""
    error: JsonObject = {"type": error_type, "message": message}
    if error_code is not None:
        error["details"] = {"error_code": error_code}
    return {"type": "error", "error": error, "request_id": request_id}
