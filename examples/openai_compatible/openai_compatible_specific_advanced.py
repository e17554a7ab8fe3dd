"""What compatible hosts do differently: OpenRouter states the cost, DeepSeek's hours have prices."""

import os

import openai

import genops
from genops.core.ledger import LedgerEntry


def ask_openrouter() -> None:
    """OpenRouter says what the call cost: that is booked, marked provider_reported, with the list price beside it."""
    client = openai.OpenAI(
        base_url=os.environ.get("OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1"),
        api_key=os.environ["OPENROUTER_API_KEY"],
    )
    with client:
        client.chat.completions.create(
            model="openai/gpt-oss-120b",
            max_tokens=300,
            messages=[{"role": "user", "content": "Where is my parcel?"}],
        )


def ask_deepseek() -> None:
    """DeepSeek is billed by the hour of the day where its price list says so; cached input is a meter of its own."""
    client = openai.OpenAI(
        base_url=os.environ.get("DEEPSEEK_BASE_URL", "https://api.deepseek.com"),
        api_key=os.environ["DEEPSEEK_API_KEY"],
    )
    with client:
        client.chat.completions.create(
            model="deepseek-reasoner",
            max_tokens=1000,
            messages=[{"role": "user", "content": "Three parcels, two vans, one driver: what is the plan?"}],
        )


def show(entry: LedgerEntry) -> None:
    """One entry: who bills, every meter, and whether the cost is the provider's word or the list's."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    print(f"  {entry.provider} {entry.response_model}: {meters}")
    print(f"    {entry.cost or 0:f} {entry.currency} ({entry.cost_source}), list price {entry.list_cost}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development")
    with genops.track("comparison", feature="model-choice") as block:
        ask_openrouter()
        ask_deepseek()

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
