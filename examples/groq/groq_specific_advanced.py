"""What is Groq's own: usage inside x_groq at the end of a stream, errors in the middle of one, and service tiers."""

import groq

import genops
from genops.core.ledger import LedgerEntry, Outcome

# The price list has no row for the tier flex: without a rate of yours its calls are unpriced, not free.
FLEX = [
    {"provider": "groq", "model": "llama-3.3-70b-versatile", "unit": "input_1m_tokens", "usd": "0.59"},
    {"provider": "groq", "model": "llama-3.3-70b-versatile", "unit": "output_1m_tokens", "usd": "0.79"},
]


def stream(client: groq.Groq, model: str) -> None:
    """Groq can fail after it has begun to answer, with status 200. The entry then says error, and what was used."""
    try:
        for chunk in client.chat.completions.create(
            model=model,
            max_completion_tokens=300,
            messages=[{"role": "user", "content": "Where is my parcel?"}],
            stream=True,
        ):
            print(chunk.choices[0].delta.content or "", end="")
            if chunk.x_groq and chunk.x_groq.usage:  # the last chunk has the usage, without being asked for it
                print(f"\n{chunk.x_groq.usage.total_tokens} tokens in {chunk.x_groq.usage.total_time} s")
    except groq.APIError as error:
        print(f"\n{model} failed: {error.message}")


def ask_in_tier(client: groq.Groq) -> None:
    """The tier flex has higher limits and may be refused when Groq is busy; the entry keeps the tier."""
    client.chat.completions.create(
        model="llama-3.3-70b-versatile",
        max_completion_tokens=300,
        messages=[{"role": "user", "content": "May I return it?"}],
        service_tier="flex",
    )


def show(entry: LedgerEntry) -> None:
    """One entry: model, how it ended, and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    ended = "" if entry.outcome is Outcome.COMPLETED else f" ({entry.outcome}, usage {entry.usage_source})"
    print(f"  {entry.response_model or entry.request_model}{ended}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development", custom_rates=FLEX)
    with groq.Groq() as client, genops.track("morning", feature="planning") as block:
        stream(client, "llama-3.1-8b-instant")
        stream(client, "openai/gpt-oss-120b")
        ask_in_tier(client)

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
