"""OTLP over gRPC: the three Export methods, on a port of their own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from genops.server.access import Access
from genops.server.otlp.answers import Refused
from genops.server.otlp.bodies import LONGEST
from genops.server.otlp.signals import SIGNALS, Signal
from genops.server.receiving import Receiver

__all__ = ["GrpcReceiver"]

_SERVICES = {
    "traces": ("trace", "TraceService"),
    "logs": ("logs", "LogsService"),
    "metrics": ("metrics", "MetricsService"),
}
_METHOD = "/opentelemetry.proto.collector.{}.v1.{}/Export"
_THREADS = 8
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcReceiver:
    """A gRPC server on the host of `access`. Raises `RuntimeError` if the port cannot be had."""

    def __init__(self, receiver: Receiver, access: Access, port: int) -> None:
        options = [
            ("grpc.max_receive_message_length", LONGEST),
            ("grpc.so_reuseport", 0),  # or a second server would get half of the calls
            ("grpc.max_concurrent_streams", 100),
        ]
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="genops-grpc"),
            handlers=(_Methods(receiver),),
            interceptors=(_TokenCheck(access),),
            options=options,
            compression=grpc.Compression.NoCompression,
        )
        host = f"[{access.host}]" if ":" in access.host else access.host
        self.port: int = self._server.add_insecure_port(f"{host}:{port}")
        self._server.start()

    def close(self, grace_s: float) -> None:
        """Take no more calls; let those that run end for so long."""
        self._server.stop(grace_s).wait()


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Finds the handler of a method. Messages are parsed by us, so that a malformed one gets its own status."""

    def __init__(self, receiver: Receiver) -> None:
        self._handlers = {
            _METHOD.format(*_SERVICES[name]): grpc.unary_unary_rpc_method_handler(
                _taking(receiver, signal), response_serializer=lambda answer: answer.SerializeToString()
            )
            for name, signal in SIGNALS.items()
        }

    def service(self, handler_call_details: Any) -> Any:
        return self._handlers.get(handler_call_details.method)


def _taking(receiver: Receiver, signal: Signal) -> Callable[[bytes, Any], Message]:
    def take(body: bytes, context: Any) -> Message:
        try:
            return signal.answer(receiver.take_here(signal, signal.request.FromString(body)))
        except DecodeError as error:
            refusal = Refused(400, f"the message is no OTLP: {error}")
        except Refused as found:
            refusal = found
        context.abort_with_status(_Status(refusal))
        raise AssertionError("abort raises")

    return take


class _Status(grpc.Status):  # type: ignore[misc]
    """A refusal, with when to try again."""

    def __init__(self, refusal: Refused) -> None:
        self.code = _CODES[refusal.code]
        self.details = refusal.message
        said = status_pb2.Status(code=refusal.code, message=refusal.message)
        if refusal.retry_after_s is not None:
            hint = AnyMessage()
            hint.Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=refusal.retry_after_s)))
            said.details.append(hint)
        self.trailing_metadata = (("grpc-status-details-bin", said.SerializeToString()),)


class _TokenCheck(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls without the token, before their message is read."""

    def __init__(self, access: Access) -> None:
        self._access = access
        refusal = _Status(Refused(401, "the token is missing or wrong. fix: authorization: Bearer <token>"))
        self._refuse = grpc.unary_unary_rpc_method_handler(lambda _, context: context.abort_with_status(refusal))

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        given = next((value for key, value in handler_call_details.invocation_metadata if key == "authorization"), None)
        return continuation(handler_call_details) if self._access.allows(given, None) else self._refuse
