"""What is OpenAI's own: reasoning, cached prompts, service tiers, embeddings, and the results of a batch.

`python openai_specific_advanced.py [FILE_ID]`, where FILE_ID is the output file of a finished batch.
"""

import sys

import openai

import genops
from genops.core.ledger import LedgerEntry

HANDBOOK = "Every answer is short, polite and says what happens next. " * 150  # over 1,024 tokens: OpenAI caches it


def reason(client: openai.OpenAI) -> None:
    """Reasoning tokens are output that nobody reads and everybody pays."""
    response = client.responses.create(
        model="gpt-5-mini",
        input="Three parcels, two vans, one driver: what is the plan?",
        reasoning={"effort": "low"},
        max_output_tokens=1000,
    )
    print(response.output_text)


def ask_twice(client: openai.OpenAI) -> None:
    """The second request finds the handbook in the cache, and pays a quarter for it (gpt-4.1)."""
    for question in ("Where is my parcel?", "May I return it?"):
        client.chat.completions.create(
            model="gpt-4.1",
            max_tokens=200,
            messages=[{"role": "system", "content": HANDBOOK}, {"role": "user", "content": question}],
            prompt_cache_key="handbook",
        )


def wait_and_save(client: openai.OpenAI) -> None:
    """The flex tier costs half and may take minutes; the entry is priced at the tier that answered."""
    client.responses.create(
        model="gpt-5",
        input="Sum up yesterday's complaints.",
        service_tier="flex",
        max_output_tokens=1000,
        timeout=900,
    )


def embed(client: openai.OpenAI) -> None:
    found = client.embeddings.create(model="text-embedding-3-small", input=["red shoes", "rain coat"])
    print(f"{len(found.data)} vectors")


def read_batch(client: openai.OpenAI, file_id: str) -> None:
    """Reading the results books each answered request once, at the batch price, for the team that reads them."""
    lines = client.files.content(file_id).text.splitlines()
    print(f"{len(lines)} results")


def show(entry: LedgerEntry) -> None:
    """One entry: model, tier, every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    tier = f", tier {entry.service_tier}" if entry.service_tier else ""
    thought = f", of it {entry.reasoning_tokens} reasoning" if entry.reasoning_tokens else ""
    print(f"  {entry.response_model}{tier}: {meters}{thought}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development")
    with openai.OpenAI() as client, genops.track("morning", feature="planning") as block:
        reason(client)
        ask_twice(client)
        wait_and_save(client)
        embed(client)
        for file_id in sys.argv[1:]:
            read_batch(client, file_id)

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
