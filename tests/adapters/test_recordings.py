"""Every recorded exchange that the SDK parses is one ledger entry with the vendor's own figures, bucket by bucket.

`GENOPS_RECORDINGS=dir` runs another folder of the same format.
"""

from __future__ import annotations

import pytest
from tests.adapters.conftest import RECORDINGS
from tests.adapters.drivers import DRIVERS, drive
from tests.adapters.expected import Consumed, consumed

from genops.core.ledger import LedgerEntry, Outcome
from genops.providers._engine.registry import statuses
from genops.testing.capture import capture
from genops.testing.conformance import check
from genops.testing.replay import Exchange, ReplayServer, load_recordings

pytestmark = pytest.mark.filterwarnings("ignore")  # recordings name models and settings of long ago

INSTALLED = [each.name for each in statuses() if each.problem is None]
EXCHANGES = [each for each in load_recordings(RECORDINGS) if (each.provider, each.api) in DRIVERS]


def _booked(entry: LedgerEntry) -> Consumed:
    usage = entry.usage
    return Consumed(
        int(sum(amount for meter, amount in usage.items() if meter.startswith(("input", "cache_")))),
        int(sum(amount for meter, amount in usage.items() if meter.startswith("cache_read"))),
        int(sum(amount for meter, amount in usage.items() if meter.startswith("cache_write"))),
        int(sum(amount for meter, amount in usage.items() if meter.startswith("output"))),
        int(usage.get("search_units", 0)),
    )


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.id)
def test_recorded_exchange_is_booked_once_with_the_vendors_figures(exchange: Exchange) -> None:
    """One entry, the vendor's token counts, and a span that conforms at level full."""
    import genops

    failure: Exception | None = None
    with (
        ReplayServer([exchange], choose=lambda received: exchange) as server,
        capture(adapters=INSTALLED) as captured,
        genops.attribution(team="search", project="shop", environment="test"),
    ):
        try:
            drive(exchange, server.url)
        except Exception as error:  # noqa: BLE001  # whatever the SDK raises, of ten SDKs
            failure = error
    if failure is not None and not captured.entries:
        pytest.skip(f"the SDK does not send it: {failure}")
    entry = captured.entry
    assert check(captured.spans).ok, check(captured.spans).violations
    if exchange.status >= 400:
        assert (Outcome.ERROR, "free", {}) == (entry.outcome, entry.cost_status, entry.usage)
        return
    if not server.requests:
        assert (Outcome.ERROR, "free", {}) == (entry.outcome, entry.cost_status, entry.usage), "never sent"
        return
    if failure is not None:  # billed, and then refused by the SDK or broken off: marked as failed, and estimated
        assert (Outcome.ERROR, "estimated") == (entry.outcome, entry.usage_source)
        return
    stated = consumed(exchange)
    if stated is None or not any(stated):
        assert entry.usage_source != "reported"
    elif entry.usage_source == "estimated" and exchange.id in LOST_BY_THE_SDK:
        assert entry.cost_status == "estimated"
    else:
        assert stated == _booked(entry)


LOST_BY_THE_SDK = frozenset({"google_genai-batchembedcontents-once-ea23fb3df6"})
"""Usage that the body states and the SDK does not hand on."""
