"""What is watsonx's own: text generation and chat are two APIs, both billed by 1,000 tokens."""

import os

from ibm_watsonx_ai import APIClient, Credentials
from ibm_watsonx_ai.foundation_models import ModelInference

import genops
from genops.core.ledger import LedgerEntry

# A resource unit is 1,000 tokens, input and output alike; its price depends on the class of the model and the plan.
RATES = [{"provider": "ibm.watsonx.ai", "model": "*", "unit": "resource_unit_1k_tokens", "usd": "0.0006"}]


def connect() -> APIClient:
    """A project is to a bill at IBM what a team is here; the client is bound to one."""
    credentials = Credentials(
        url=os.environ.get("WATSONX_URL", "https://us-south.ml.cloud.ibm.com"),
        api_key=os.environ.get("WATSONX_APIKEY"),
        token=os.environ.get("WATSONX_TOKEN"),
        platform_url=os.environ.get("WATSONX_PLATFORM_URL"),
    )
    return APIClient(credentials, project_id=os.environ["WATSONX_PROJECT_ID"])


def generate(model: ModelInference) -> None:
    """The model continues the prompt as it stands; the limit is max_new_tokens."""
    print(model.generate_text(prompt="The parcel is", params={"max_new_tokens": 100, "temperature": 0}))


def chat(model: ModelInference) -> None:
    """The model's own template is put around the messages, and billed; the limit is max_tokens."""
    response = model.chat(messages=[{"role": "user", "content": "Where is my parcel?"}], params={"max_tokens": 100})
    print(response["choices"][0]["message"]["content"])


def show(entry: LedgerEntry) -> None:
    """One entry: model and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    print(f"  {entry.response_model or entry.request_model}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development", custom_rates=RATES)
    model = ModelInference(model_id="ibm/granite-3-8b-instruct", api_client=connect(), validate=False)
    with genops.track("morning", feature="planning") as block:
        generate(model)
        chat(model)

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
