"""What is LiteLLM's own: fallbacks from one provider to another, and its own idea of the cost beside the ledger's."""

import litellm

import genops
from genops.core.ledger import LedgerEntry


def make_router() -> litellm.Router:
    """Answers come from the first; when it fails, from the second. The application asks for "answers"."""
    models = [
        {"model_name": "answers", "litellm_params": {"model": "openai/no-such-model-in-this-region"}},
        {"model_name": "spare", "litellm_params": {"model": "anthropic/claude-haiku-4-5"}},
    ]
    return litellm.Router(model_list=models, fallbacks=[{"answers": ["spare"]}], num_retries=0)


def ask(router: litellm.Router) -> None:
    """Both attempts are entries: the failed one without a cost, the other under the provider that answered."""
    response = router.completion(
        model="answers",
        max_tokens=300,
        messages=[{"role": "user", "content": "Where is my parcel?"}],
    )
    print(response.choices[0].message.content)
    print(f"LiteLLM says {litellm.completion_cost(response):.9f} USD")


def show(entry: LedgerEntry) -> None:
    """One entry: who bills, how it ended, and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items()) or "nothing"
    print(f"  {entry.provider} {entry.request_model}, {entry.outcome}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development")
    with genops.track("morning", feature="planning") as block:
        ask(make_router())

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
