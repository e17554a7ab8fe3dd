"""What is Anthropic's own: prompt caching for five minutes or an hour, thinking, web search, batches.

`python anthropic_specific_advanced.py [BATCH_ID]`, where BATCH_ID is a message batch that has ended.
"""

import sys
from typing import Literal

import anthropic

import genops
from genops.core.ledger import LedgerEntry

HANDBOOK = "Every answer is short, polite and says what happens next. " * 150  # 1,024 tokens is the least it caches


def ask_with_handbook(client: anthropic.Anthropic, question: str, ttl: Literal["5m", "1h"]) -> None:
    """The first call writes the cache: 1.25 times the input price for five minutes, twice for an hour.

    Calls that find it pay a tenth. Each of the three is a meter of its own: cache_write, cache_write_1h, cache_read.
    """
    client.messages.create(
        model="claude-sonnet-4-6",
        max_tokens=300,
        system=[{"type": "text", "text": HANDBOOK, "cache_control": {"type": "ephemeral", "ttl": ttl}}],
        messages=[{"role": "user", "content": question}],
    )


def think(client: anthropic.Anthropic) -> None:
    """Thinking is billed as output, also where the answer shows only a summary of it."""
    message = client.messages.create(
        model="claude-opus-4-6",
        max_tokens=2000,
        thinking={"type": "adaptive"},
        messages=[{"role": "user", "content": "Three parcels, two vans, one driver: what is the plan?"}],
    )
    print(next((block.text for block in message.content if block.type == "text"), ""))


def search(client: anthropic.Anthropic) -> None:
    """Each web search costs beside the tokens of what it finds. The stream reports both in its last events."""
    with client.messages.stream(
        model="claude-sonnet-4-6",
        max_tokens=1000,
        tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}],
        messages=[{"role": "user", "content": "Which roads are closed today?"}],
    ) as stream:
        stream.until_done()


def read_batch(client: anthropic.Anthropic, batch_id: str) -> None:
    """Reading the results books each message that succeeded once, at half price; others cost nothing."""
    for result in client.messages.batches.results(batch_id):
        print(f"{result.custom_id}: {result.result.type}")


def show(entry: LedgerEntry) -> None:
    """One entry: model and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    print(f"  {entry.response_model or entry.request_model}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development")
    with anthropic.Anthropic() as client, genops.track("morning", feature="planning") as block:
        ask_with_handbook(client, "Where is my parcel?", ttl="5m")
        ask_with_handbook(client, "May I return it?", ttl="5m")
        ask_with_handbook(client, "How long is the warranty?", ttl="1h")
        think(client)
        search(client)
        for batch_id in sys.argv[1:]:
            read_batch(client, batch_id)

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
