"""Time one library and price the golden cases with it; print one JSON line.

Calls per second of CPU time: other work on the machine does not count. The objects a library takes are made before the
clock starts.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from cases import SPEED, Case, golden

__all__ = ["LIBRARIES", "main"]

Pricing = Callable[[], Any]  # the amount, None for no price


def litellm_completion_cost(case: Case) -> Pricing:
    import litellm
    from litellm.types.utils import CacheCreationTokenDetails, ModelResponse, PromptTokensDetailsWrapper, Usage

    litellm.suppress_debug_info = True
    names = {
        "azure.ai.openai": "azure",
        "gcp.gemini": "gemini",
        "gcp.vertex_ai": "vertex_ai",
        "aws.bedrock": "bedrock",
        "mistral_ai": "mistral",
        "x_ai": "xai",
        "voyage_ai": "voyage",
    }
    details: dict[str, Any] = {"cached_tokens": case.cache_read}
    extra = {}
    if case.cache_write or case.cache_write_1h:
        extra["cache_creation_input_tokens"] = case.cache_write + case.cache_write_1h
        extra["cache_read_input_tokens"] = case.cache_read
    if case.cache_write_1h:
        details["cache_creation_tokens"] = case.cache_write + case.cache_write_1h
        details["cache_creation_token_details"] = CacheCreationTokenDetails(
            ephemeral_5m_input_tokens=case.cache_write, ephemeral_1h_input_tokens=case.cache_write_1h
        )
    usage = Usage(
        prompt_tokens=case.prompt,
        completion_tokens=case.output,
        total_tokens=case.prompt + case.output,
        prompt_tokens_details=PromptTokensDetailsWrapper(**details),
        **extra,
    )
    arguments: dict[str, Any] = {
        "completion_response": ModelResponse(model=case.model, usage=usage),
        "custom_llm_provider": names.get(case.provider, case.provider),
    }
    if case.tier not in (None, "default", "standard"):
        arguments["service_tier"] = case.tier
    if case.api == "embeddings":
        arguments["call_type"] = "embedding"
    return lambda: litellm.completion_cost(**arguments)


def genai_prices(case: Case) -> Pricing:
    from genai_prices import Usage, calc_price

    names = {
        "azure.ai.openai": "azure",
        "gcp.gemini": "google",
        "gcp.vertex_ai": "google",
        "aws.bedrock": "aws",
        "mistral_ai": "mistral",
        "x_ai": "x-ai",
        "together_ai": "together",
        "voyage_ai": "voyageai",
    }
    quantities = {"input_tokens": case.prompt, "output_tokens": case.output}
    if case.cache_read:
        quantities["cache_read_tokens"] = case.cache_read
    if case.cache_write or case.cache_write_1h:
        quantities["cache_write_tokens"] = case.cache_write + case.cache_write_1h
    if case.cache_write_1h:
        quantities["cache_write_1h_tokens"] = case.cache_write_1h
    usage, provider = Usage(**quantities), names.get(case.provider, case.provider)
    arguments: dict[str, Any] = {"provider_id": provider, "genai_request_timestamp": datetime.fromisoformat(case.at)}
    if case.tier not in (None, "default", "standard"):
        arguments["price_context"] = {"service_tier": case.tier}
    return lambda: calc_price(usage, case.model, **arguments).total_price


def genops_usage(case: Case) -> Any:
    from genops.core.usage import Usage

    buckets = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
    return Usage({name: getattr(case, name) for name in buckets if getattr(case, name)})


def genops_query(case: Case, at: datetime) -> Any:
    from genops.core.pricing import PriceQuery

    return PriceQuery(provider=case.provider, api=case.api, request_model=case.model, service_tier=case.tier, at=at)


def genops_book(case: Case) -> Pricing:
    """The price book, on a usage object and a query made beforehand."""
    from genops.core.pricing import PriceBook

    usage, query = genops_usage(case), genops_query(case, datetime.fromisoformat(case.at))
    book = PriceBook.default()
    return lambda: getattr(book.price(usage, query), "amount", None)


def genops_book_cold(case: Case) -> Pricing:
    """The same with a query of its own for each call, a minute later every time, so that no row is remembered."""
    from genops.core.pricing import PriceBook

    usage, book, at = genops_usage(case), PriceBook.default(), [datetime(2026, 11, 1, tzinfo=UTC)]

    def price() -> Any:
        at[0] += timedelta(minutes=1)
        return getattr(book.price(usage, genops_query(case, at[0])), "amount", None)

    return price


def genops_price_response(case: Case) -> Pricing:
    """Everything from the provider's raw answer: reading its usage, then the price book."""
    import genops

    at = datetime.fromisoformat(case.at)
    if case.provider == "anthropic":
        usage: dict[str, Any] = {
            "input_tokens": case.input,
            "cache_read_input_tokens": case.cache_read,
            "cache_creation_input_tokens": case.cache_write,
            "output_tokens": case.output,
        }
    else:
        usage = {
            "prompt_tokens": case.prompt,
            "completion_tokens": case.output,
            "total_tokens": case.prompt + case.output,
            "prompt_tokens_details": {"cached_tokens": case.cache_read},
        }
    answer = {"id": "bench-1", "model": case.model, "usage": usage}
    return lambda: getattr(
        genops.price_response(case.provider, case.api, answer, model=case.model, at=at), "amount", None
    )


# name: the distribution, how to make a pricing, and whether the golden cases are priced with it
LIBRARIES: dict[str, tuple[str, Callable[[Case], Pricing], bool]] = {
    "genops PriceBook.price": ("genops-ai", genops_book, True),
    "genops PriceBook.price, row not remembered": ("genops-ai", genops_book_cold, False),
    "genops.price_response": ("genops-ai", genops_price_response, False),
    "litellm.completion_cost": ("litellm", litellm_completion_cost, True),
    "genai_prices.calc_price": ("genai-prices", genai_prices, True),
}


def priced(make: Callable[[Case], Pricing], case: Case) -> tuple[Any, str | None]:
    """The amount, and what went wrong."""
    try:
        return make(case)(), None
    except Exception as error:
        return None, f"{type(error).__name__}: {str(error).splitlines()[0][:100] if str(error) else ''}"


def rate(pricing: Pricing) -> float:
    """Calls per second of CPU time, the median of five runs; a library that raises for an unknown model is timed raising."""

    def once() -> None:
        try:
            pricing()
        except Exception:  # noqa: S110  # the error is the library's answer
            pass

    for _ in range(50):
        once()
    rates = []
    for _ in range(5):
        calls, started = 0, time.process_time()
        while time.process_time() - started < 0.3:
            for _ in range(20):
                once()
            calls += 20
        rates.append(calls / (time.process_time() - started))
    return sorted(rates)[2]


def agrees(found: Any, expected: Decimal, exact: bool) -> bool:
    """Exactly for decimals; to nine digits for libraries that use floats."""
    if found is None:
        return False
    if exact:
        return Decimal(found) == expected
    return abs(Decimal(repr(float(found))) - expected) <= Decimal("1e-9") * max(expected, Decimal("1e-6"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=sorted(LIBRARIES))
    library = parser.parse_args().library
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    warnings.simplefilter("ignore")
    distribution, make, with_golden = LIBRARIES[library]
    started = time.perf_counter()
    priced(make, SPEED[0])
    result: dict[str, Any] = {
        "library": library,
        "version": importlib.metadata.version(distribution),
        "first_price_s": time.perf_counter() - started,
        "rate": {case.name: rate(make(case)) for case in SPEED},
        "amount": {case.name: str(priced(make, case)[0]) for case in SPEED},
    }
    if with_golden:
        differing = {}
        cases = golden()
        for case in cases:
            found, problem = priced(make, case)
            if not agrees(found, case.expected or Decimal(0), exact=library.startswith("genops")):
                differing[case.name] = problem or f"{found} for {case.expected}"
        result["golden"] = {"cases": len(cases), "differing": differing}
    print(json.dumps(result), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
