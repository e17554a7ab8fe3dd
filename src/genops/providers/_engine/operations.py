"""Operations: a client whose every call goes through one method, which is given the operation and its request.

That is how botocore's clients work. The method is patched once; what it is asked for finds the governed call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import wrapt

from genops.core import attribution, estimate
from genops.core._guarding import never_raises
from genops.core.frame import Frame, open_frame
from genops.core.runtime import Runtime, current_runtime
from genops.providers._engine.calls import GovernedCall
from genops.providers._engine.meters import settle_response, stream_over
from genops.providers._engine.requests import laid_over, model_of, place_of
from genops.providers._engine.spec import Adapter, Call
from genops.providers._engine.stepping import Active

__all__ = ["GovernedClient"]

_BODY_LIMIT = 16 * 1024 * 1024  # bytes of a body kept for reading usage
_TOKEN_HEADERS = "x-amzn-bedrock-"


class GovernedClient(GovernedCall):
    """The method that makes every call of a client, with the operations of one service governed."""

    def __init__(self, adapter: Adapter, call: Call) -> None:
        super().__init__(adapter, call)
        self._variants = {variant.methods[0]: GovernedCall(adapter, variant) for variant in call.variants}

    def _variant(self, instance: Any, args: Any) -> GovernedCall | None:
        if not self.active or len(args) != 2 or args[0] not in self._variants:
            return None
        service = getattr(getattr(getattr(instance, "meta", None), "service_model", None), "service_name", None)
        return self._variants[args[0]] if service == self.call.service else None

    def guard(self, wrapped: Any, instance: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Around the method of a client that answers directly."""
        runtime, variant = current_runtime(), self._variant(instance, args)
        if runtime is None or variant is None or self._is_open():
            return wrapped(*args, **kwargs)
        frame, request = self._open_operation(runtime, variant, instance, args[1])
        if frame is None:
            return wrapped(*args, **kwargs)
        frame.owner = self
        with Active(frame):
            return wrapped(args[0], request)

    async def aguard(self, wrapped: Any, instance: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Around the coroutine method of a client."""
        runtime, variant = current_runtime(), self._variant(instance, args)
        if runtime is None or variant is None or self._is_open():
            return await wrapped(*args, **kwargs)
        frame, request = self._open_operation(runtime, variant, instance, args[1])
        if frame is None:
            return await wrapped(*args, **kwargs)
        frame.owner = self
        with Active(frame):
            return await wrapped(args[0], request)

    def _open_operation(
        self, runtime: Runtime, variant: GovernedCall, instance: Any, parameters: Mapping[str, Any]
    ) -> tuple[Frame | None, Any]:
        """The frame, None after a fault of ours, and the request to send. Raises `GenOpsBlocked`."""
        governance, parameters = attribution.split_call_attributes(dict(parameters))
        frame = self._operation_frame(runtime, variant, instance, parameters, attribution.current(governance))
        if frame is None or not frame.changes:
            return frame, parameters
        return frame, _changed(parameters, frame.changes, variant.call.model)

    @never_raises
    def _operation_frame(
        self, runtime: Runtime, variant: GovernedCall, instance: Any, parameters: Mapping[str, Any], attributed: Any
    ) -> Frame | None:
        call = variant.call
        request = {**parameters, **_body(parameters)}
        model = model_of(call.model, instance, parameters)
        facts = variant.facts(place_of(self.adapter, instance), model, call.streamed)
        limit_key = estimate.output_limit_key(request, call.api, ("inferenceConfig",))
        frame = open_frame(
            runtime, facts, request, attributed, changeable=True, limit_key=limit_key, model_key=call.model
        )
        frame.mirrored = self.mirrored
        return frame

    def _observe(self, frame: Frame, result: Any) -> Any:
        observed = _observed(frame, result)
        return result if observed is None else observed


def _body(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON body of a request whose form is the model family's own."""
    body = parameters.get("body")
    if not isinstance(body, str | bytes | bytearray):
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _changed(parameters: Mapping[str, Any], changes: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The request with changes, which go into its body where it has one; the model is never in the body."""
    made, rest = dict(parameters), dict(changes)
    if model in rest:
        made[model] = rest.pop(model)
    body = _body(parameters)
    if body:
        made["body"] = json.dumps(laid_over(body, rest))
        return made
    return laid_over(made, rest)


@never_raises
def _observed(frame: Frame, result: dict[str, Any]) -> dict[str, Any]:
    """The answer with its stream or body metered; settles the frame now or when that has been read."""
    for name in ("stream", "body"):
        content = result.get(name)
        if content is None:
            continue
        if frame.facts.streamed:
            return {**result, name: stream_over(frame, content)}
        return {**result, name: _Body(content, _MeteredBody(frame, _headers(result)))}
    settle_response(frame, result)
    return result


def _headers(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the headers say about tokens, and the identity of the request."""
    metadata = result.get("ResponseMetadata") or {}
    stated = {
        name: int(value)
        for name, value in (metadata.get("HTTPHeaders") or {}).items()
        if name.startswith(_TOKEN_HEADERS) and str(value).isdigit()
    }
    return {**stated, "ResponseMetadata": metadata}


class _MeteredBody:
    """What was read of a body; settles once, when all of it was or nobody will read on."""

    def __init__(self, frame: Frame, headers: Mapping[str, Any]) -> None:
        self._frame = frame
        self._headers = headers
        self._seen = bytearray()

    def see(self, piece: Any) -> Any:
        if isinstance(piece, bytes) and len(self._seen) < _BODY_LIMIT:
            self._seen += piece
        return piece

    @never_raises
    def end(self) -> None:
        content = _body({"body": bytes(self._seen)}) if self._seen else {}
        settle_response(self._frame, {**content, **self._headers})

    def __del__(self) -> None:
        self.end()


class _Body(wrapt.ObjectProxy):  # type: ignore[type-arg]  # not subscriptable at run time
    """A vendor's streaming body, sync or async, as far as the application reads it."""

    def __init__(self, body: Any, metered: _MeteredBody) -> None:
        super().__init__(body)
        self._self_metered = metered

    def read(self, amt: int | None = None) -> Any:
        whole = amt is None or amt < 0
        piece = self.__wrapped__.read() if whole else self.__wrapped__.read(amt)
        if hasattr(piece, "__await__"):
            return self._self_aread(piece, whole)
        return self._self_read(piece, whole)

    def _self_read(self, piece: Any, whole: bool) -> Any:
        self._self_metered.see(piece)
        if whole or not piece:
            self._self_metered.end()
        return piece

    async def _self_aread(self, piece: Any, whole: bool) -> Any:
        return self._self_read(await piece, whole)

    def __iter__(self) -> Any:
        for piece in self.__wrapped__:
            yield self._self_metered.see(piece)
        self._self_metered.end()

    def iter_lines(self, *args: Any, **kwargs: Any) -> Any:
        for line in self.__wrapped__.iter_lines(*args, **kwargs):
            self._self_metered.see(line + b"\n")
            yield line
        self._self_metered.end()

    def iter_chunks(self, *args: Any, **kwargs: Any) -> Any:
        for piece in self.__wrapped__.iter_chunks(*args, **kwargs):
            yield self._self_metered.see(piece)
        self._self_metered.end()

    def close(self) -> Any:
        self._self_metered.end()
        return self.__wrapped__.close()
