"""Chains: the cost of a sequence of model calls that an application counts itself."""

from __future__ import annotations

from typing import Any

from genops.core.attribution import attribution
from genops.core.cost_context import CostContext
from genops.core.ledger import LedgerEntry
from genops.core.records import track_cost

__all__ = ["ChainCostContext", "create_chain_cost_context", "multi_provider_cost_tracking"]


class ChainCostContext(CostContext):
    """A cost context to which calls can be added that no adapter sees."""

    def add_llm_call(self, provider: str, model: str, tokens_in: int, tokens_out: int) -> LedgerEntry | None:
        """Book one call at the price book's rate; inside the block it is part of the summary."""
        return track_cost(provider=provider, model=model, input_tokens=tokens_in, output_tokens=tokens_out)


def create_chain_cost_context(chain_id: str, **attributes: Any) -> ChainCostContext:
    """Return a context manager that adds up what a chain costs: governed calls inside it, and those added by hand."""
    attribution(**attributes)  # refuse unknown names here
    return ChainCostContext(chain_id, {name: str(value) for name, value in attributes.items() if name != "tags"})


def multi_provider_cost_tracking(name: str = "multi-provider") -> CostContext:
    """Return a context manager that adds up the calls inside it, over every provider: see `FrameworkCostSummary`."""
    return CostContext(name)
