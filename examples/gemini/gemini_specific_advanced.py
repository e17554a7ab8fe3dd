"""What is Gemini's own: thoughts, cached content, and the same program on Vertex AI.

With GOOGLE_GENAI_USE_VERTEXAI=true, GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION the calls go to Vertex AI, and the
entries say gcp.vertex_ai: another bill, with prices of its own.
"""

from google import genai
from google.genai import types

import genops
from genops.core.ledger import LedgerEntry

HANDBOOK = "Every answer is short, polite and says what happens next. " * 150  # 1,024 tokens is the least it caches


def think(client: genai.Client) -> None:
    """Thoughts are billed as output and are not in candidates_token_count; the entry counts both."""
    thinking = types.ThinkingConfig(thinking_budget=1024)
    for chunk in client.models.generate_content_stream(
        model="gemini-2.5-flash",
        contents="Three parcels, two vans, one driver: what is the plan?",
        config=types.GenerateContentConfig(thinking_config=thinking, max_output_tokens=2000),
    ):
        print(chunk.text or "", end="")
    print()


def ask_with_cache(client: genai.Client) -> None:
    """What is cached is input at a fraction of the price. Its storage, by the hour, is not on any response."""
    cache = client.caches.create(
        model="gemini-2.5-flash",
        config=types.CreateCachedContentConfig(contents=HANDBOOK, ttl="300s"),
    )
    for question in ("Where is my parcel?", "May I return it?"):
        client.models.generate_content(
            model="gemini-2.5-flash",
            contents=question,
            config=types.GenerateContentConfig(cached_content=cache.name, max_output_tokens=300),
        )


def show(entry: LedgerEntry) -> None:
    """One entry: model, every meter that was billed, and how much of the output was thought."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    thought = f", of it {entry.reasoning_tokens} thoughts" if entry.reasoning_tokens else ""
    print(f"  {entry.provider} {entry.response_model}: {meters}{thought}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development")
    with genai.Client() as client, genops.track("morning", feature="planning") as block:
        think(client)
        ask_with_cache(client)

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
