"""What is Cohere's own: billed units beside tokens, rerank by the search, and embeddings."""

import cohere

import genops
from genops.core.ledger import LedgerEntry

PARCELS = ["Parcel 7 is at the depot.", "The depot opens at nine.", "Shoes are on the second floor."]


def rerank(client: cohere.ClientV2) -> str:
    """One search unit is a query with up to 100 documents. There are no tokens to count."""
    found = client.rerank(model="rerank-v3.5", query="Where is parcel 7?", documents=PARCELS, top_n=1)
    print(f"{len(found.results)} results, billed {found.meta.billed_units if found.meta else None}")
    return PARCELS[found.results[0].index % len(PARCELS)]


def answer(client: cohere.ClientV2, context: str) -> None:
    """Cohere counts all tokens, its own preamble too, but bills fewer: the entry has what is billed."""
    events = client.chat_stream(
        model="command-r-08-2024",
        max_tokens=300,
        messages=[
            {"role": "system", "content": f"Answer from this: {context}"},
            {"role": "user", "content": "Where is parcel 7?"},
        ],
    )
    for event in events:
        if event.type == "content-delta":
            print(event.delta.message.content.text, end="")
        if event.type == "message-end":
            print(f"\ntokens {event.delta.usage.tokens}, billed {event.delta.usage.billed_units}")


def embed(client: cohere.ClientV2) -> None:
    client.embed(
        model="embed-v4.0",
        texts=PARCELS,
        input_type="search_document",
        embedding_types=["float"],
    )


def show(entry: LedgerEntry) -> None:
    """One entry: model and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    print(f"  {entry.response_model or entry.request_model}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development")
    client = cohere.ClientV2()
    with genops.track("search", feature="parcel-search") as block:
        embed(client)
        answer(client, rerank(client))

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
