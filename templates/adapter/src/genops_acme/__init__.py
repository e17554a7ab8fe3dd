"""Acme: completions, whole and streamed.

Not metered: everything else.
"""

from genops.providers import (
    Adapter,
    Call,
    EnvVar,
    Package,
    cost_context_of,
    instrument_adapter,
    print_validation_result,
    validate_adapter,
)

__all__ = ["ACME", "create_acme_cost_context", "instrument_acme", "print_validation_result", "validate_setup"]

ACME = Adapter(
    name="acme",
    title="Acme",
    provider="acme",
    package=Package("acme-llm", ">=1,<2"),
    env=(EnvVar(name="ACME_API_KEY", fix="export ACME_API_KEY=...   (create one in the console)"),),
    address="base_url",
    calls=(
        Call(
            name="chat",
            operation="chat",
            api="chat_completions",
            module="acme_llm",
            methods=("Client.complete",),
        ),
    ),
)

instrument_acme = instrument_adapter(ACME)
create_acme_cost_context = cost_context_of(ACME)
validate_setup = validate_adapter(ACME)
