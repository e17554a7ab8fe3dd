"""What is Together's own: open models side by side, plain completions, and embeddings."""

import together

import genops
from genops.core.ledger import LedgerEntry

# A model that is not in the price list is unpriced until it is given a rate.
RATES = [{"provider": "together_ai", "model": "intfloat/*", "unit": "input_1m_tokens", "usd": "0.02"}]
MODELS = ("mistralai/Mixtral-8x7B-Instruct-v0.1", "meta-llama/Llama-3.3-70B-Instruct-Turbo")


def compare(client: together.Together) -> None:
    """The same question to two open models: the cost of each is in the summary, under its name."""
    for model in MODELS:
        with genops.attribution(tags={"candidate": model}):
            client.chat.completions.create(
                model=model,
                max_tokens=300,
                messages=[{"role": "user", "content": "Where is my parcel?"}],
            )


def complete(client: together.Together) -> None:
    """Base models continue a text instead of answering it."""
    client.completions.create(model=MODELS[0], prompt="The parcel is", max_tokens=50)


def embed(client: together.Together) -> None:
    found = client.embeddings.create(model="intfloat/multilingual-e5-large-instruct", input=["red shoes", "rain coat"])
    print(f"{len(found.data)} vectors")


def show(entry: LedgerEntry) -> None:
    """One entry: model and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    print(f"  {entry.response_model or entry.request_model}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development", custom_rates=RATES)
    client = together.Together()
    with genops.track("comparison", feature="model-choice") as block:
        compare(client)
        complete(client)
        embed(client)
    for model, amount in block.cost.get_final_summary().cost_by_model.items():
        print(f"{model}: {amount:f} USD")

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
