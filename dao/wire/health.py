"""The standard health service of gRPC, held to the same pace as every other call."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

HEALTH = "grpc.health.v1.Health"
SERVED = ("", "commonweight.Superlink")


class HealthService:
    """Reports that the Superlink serves, until `end`; `admit` delays a call until its caller is due for one."""

    def __init__(self, admit: Callable[[Any], Awaitable[None]]) -> None:
        self._admit = admit
        self._servicer = health.aio.HealthServicer()  # type: ignore[attr-defined]  # its stubs leave out aio

    async def begin(self) -> None:
        """Serve from now on."""
        for name in SERVED:
            await self._servicer.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def end(self) -> None:
        """Say that the Superlink serves no more."""
        await self._servicer.enter_graceful_shutdown()

    def methods(self) -> "grpc.GenericRpcHandler[Any, Any]":
        """Return the service for a gRPC server."""
        forms = {
            "request_deserializer": health_pb2.HealthCheckRequest.FromString,
            "response_serializer": health_pb2.HealthCheckResponse.SerializeToString,
        }
        return grpc.method_handlers_generic_handler(
            HEALTH,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self._check, **forms),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch, **forms),
            },
        )

    async def _check(self, request: Any, context: Any) -> Any:
        await self._admit(context)
        return await self._servicer.Check(request, context)

    async def _watch(self, request: Any, context: Any) -> None:
        await self._admit(context)
        await self._servicer.Watch(request, context)
