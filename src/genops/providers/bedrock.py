"""Amazon Bedrock through `boto3` and `aiobotocore`: Converse, InvokeModel and their event streams.

The usage of a body is read as the application reads it; families that state none there are booked from the headers.
Inference profiles and their ARNs are priced as the model behind them, application profiles by an alias in `prices`. Not
metered: agents, knowledge bases, guardrails by themselves, batch jobs and provisioned throughput.
"""

from functools import partial

from genops.providers._engine import (
    Adapter,
    Call,
    EnvVar,
    Package,
    cost_context_of,
    instrument_adapter,
    print_validation_result,
    validate_adapter,
)

__all__ = [
    "BEDROCK",
    "create_bedrock_cost_context",
    "instrument_bedrock",
    "print_validation_result",
    "validate_setup",
]

_converse = partial(Call, name="converse", operation="chat", api="converse", model="modelId", module="")
_invoke = partial(Call, name="invoke_model", operation="chat", api="invoke_model", model="modelId", module="")
OPERATIONS = (
    _converse(methods=("Converse",)),
    _converse(methods=("ConverseStream",), streamed=True),
    _invoke(methods=("InvokeModel",)),
    _invoke(methods=("InvokeModelWithResponseStream",), streamed=True),
)


def _client(module: str, method: str) -> Call:
    return Call(
        name="converse",
        operation="chat",
        api="converse",
        module=module,
        methods=(method,),
        service="bedrock-runtime",
        variants=OPERATIONS,
    )


BEDROCK = Adapter(
    name="bedrock",
    title="Amazon Bedrock",
    provider="aws.bedrock",
    package=Package("botocore", ">=1.35,<2", install="boto3"),
    env=(
        EnvVar(
            name="AWS_DEFAULT_REGION",
            fix="export AWS_DEFAULT_REGION=us-east-1   (and credentials, as for every AWS client)",
        ),
    ),
    address="meta.endpoint_url",
    region="meta.region_name",
    calls=(
        _client("botocore.client", "BaseClient._make_api_call"),
        _client("aiobotocore.client", "AioBaseClient._make_api_call"),
    ),
)

instrument_bedrock = instrument_adapter(BEDROCK)
create_bedrock_cost_context = cost_context_of(BEDROCK)
validate_setup = validate_adapter(BEDROCK)
