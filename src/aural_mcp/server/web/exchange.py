"""One request of an older protocol and its answer, one JSON document: served as the SDK serves the present protocol.

Around every request of an older one the SDK sets up a session of its own, and ends it: a fifth of a small call. Large
bodies keep that way: between its steps, others get their turn.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_one
from mcp.server.streamable_http import check_accept_headers
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp.types import DEFAULT_NEGOTIATED_VERSION, INTERNAL_ERROR, ErrorData, JSONRPCRequest, RequestId
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

FAILED = "The request failed. The operator finds the cause in the log."

ONE_WAY = TransportContext(kind="streamable-http", can_send_request=False)

log = logging.getLogger(__name__)


def readable(scope: Scope, body: bytes) -> tuple[Request, JSONRPCRequest] | None:
    """The request, where it can be served so; None where it is for the SDK to answer or to refuse."""
    request = Request(scope)
    version = request.headers.get("mcp-protocol-version", DEFAULT_NEGOTIATED_VERSION)
    if version not in HANDSHAKE_PROTOCOL_VERSIONS or not check_accept_headers(request)[0]:
        return None
    try:
        raw = from_json(body)
        message = JSONRPCRequest.model_validate(raw, by_name=False)
    except (ValidationError, ValueError):
        return None
    return None if message.method == "initialize" or {"result", "error"} & raw.keys() else (request, message)


async def answered(app: Server[Any], lifespan_state: Any, request: Request, message: JSONRPCRequest) -> Response:
    """What the server answers."""
    version = request.headers.get("mcp-protocol-version", DEFAULT_NEGOTIATED_VERSION)
    said: dict[str, Any] = {"jsonrpc": "2.0", "id": message.id}
    try:
        said["result"] = await serve_one(
            app,
            Exchange(message.id, ServerMessageMetadata(request_context=request)),
            message.method,
            message.params,
            connection=Connection.from_envelope(version, None, None),
            lifespan_state=lifespan_state,
        )
    except Exception as error:
        known = handler_exception_to_error_data(error)
        if known is None:
            log.exception("A request failed")
        said["error"] = known or ErrorData(code=INTERNAL_ERROR, message=FAILED)
    return Response(to_json(said, by_alias=True, exclude_none=True), media_type="application/json")


@dataclass
class Exchange:
    """The SDK's `DispatchContext` where nothing but the answer can be sent."""

    request_id: RequestId
    message_metadata: ServerMessageMetadata
    transport: TransportContext = ONE_WAY
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)
    can_send_request: bool = False

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Nothing to send it on."""

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Nothing to send it on."""
