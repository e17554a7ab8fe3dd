"""What is Ollama's own: no bill, so the time of your machine is the cost, and a budget can be in seconds."""

import ollama

import genops
from genops.core.ledger import LedgerEntry

# A machine of 2.40 USD an hour; a larger one for the model that needs it.
RATES = [
    {"provider": "ollama", "model": "*", "unit": "compute_hour", "usd": "2.40"},
    {"provider": "ollama", "model": "llama3", "unit": "compute_hour", "usd": "7.20"},
]
BUDGETS = [
    {
        "name": "gpu-seconds",
        "group_by": ["team"],
        "unit": "compute_seconds",
        "limit": 3600,
        "window": "day",
        "on_unpriced": 30,  # nobody knows before the call how long it takes: 30 seconds are reserved
    },
]


def compare(client: ollama.Client) -> None:
    """Tokens are counted, but the seconds are what is paid: loading the model counts, too."""
    for model in ("gemma3:1b", "llama3"):
        response = client.chat(
            model=model,
            options={"num_predict": 300},
            messages=[{"role": "user", "content": "Where is my parcel?"}],
            keep_alive="10m",  # stays loaded: the second call pays for no loading
        )
        seconds = (response.total_duration or 0) / 1e9
        print(f"{model}: {response.eval_count} tokens in {seconds:.2f} s")


def generate(client: ollama.Client) -> None:
    for chunk in client.generate(model="llama3", prompt="The parcel is", options={"num_predict": 100}, stream=True):
        print(chunk.response, end="")
    print()


def show(entry: LedgerEntry) -> None:
    """One entry: model and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    print(f"  {entry.response_model or entry.request_model}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(
        team="logistics", project="helpdesk", environment="development", custom_rates=RATES, budgets=BUDGETS
    )
    client = ollama.Client()
    with genops.track("morning", feature="planning") as block:
        compare(client)
        generate(client)

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
