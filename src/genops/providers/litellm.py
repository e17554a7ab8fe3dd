"""LiteLLM: completions and embeddings through `litellm` and its `Router`, whichever provider a model's name leads to.

Where LiteLLM calls a provider through an SDK that is governed itself, as it does with OpenAI's, that call is the one
that is booked, and this one adds it up. The functions are wrapped instead of registering callbacks, which cannot refuse
a call and run on other threads, afterwards. LiteLLM's own idea of a cost is not used.

Not metered: LiteLLM's proxy from outside of it, images, audio, rerank, responses and files.
"""

from functools import partial

from genops.providers._engine import (
    Adapter,
    Call,
    Package,
    cost_context_of,
    instrument_adapter,
    print_validation_result,
    validate_adapter,
)

__all__ = [
    "LITELLM",
    "create_litellm_cost_context",
    "instrument_litellm",
    "print_validation_result",
    "validate_setup",
]

_litellm = partial(Call, module="litellm")

LITELLM = Adapter(
    name="litellm",
    title="LiteLLM",
    provider="litellm",
    package=Package("litellm", ">=1.60,<2"),
    usage_option_providers=frozenset({"*"}),
    address="",
    routed=True,
    calls=(
        _litellm(
            name="chat",
            operation="chat",
            api="chat_completions",
            methods=("completion", "acompletion"),
            usage_option="stream_options.include_usage",
        ),
        _litellm(
            name="completions",
            operation="text_completion",
            api="completions",
            methods=("text_completion", "atext_completion"),
        ),
        _litellm(
            name="embeddings",
            operation="embeddings",
            operation_type="embedding",
            api="embeddings",
            methods=("embedding", "aembedding"),
        ),
    ),
)

instrument_litellm = instrument_adapter(LITELLM)
create_litellm_cost_context = cost_context_of(LITELLM)
validate_setup = validate_adapter(LITELLM)
