"""Pages say what the ledger says, whatever its values hold."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.analytics.ledgers import entry, evaluation, write
from tests.dashboard.conftest import state_of
from tests.dashboard.sample import CALLS, HOSTILE, settings_of

from genops.analytics import Replica
from genops.server.app import make_app
from genops.server.dashboard.app import PAGES
from genops.server.state import ServerState
from genops.stores import LedgerReader

PATHS = [page.path for page in PAGES]
ALL = [*PATHS, "/explore?by=team&by=model&by=customer_id", "/explore?by=tag:squad", "/customers?by=feature&period=all"]


class _Elements(HTMLParser):
    """The elements of a page, with what could run or load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def call_of(client: TestClient, query: str) -> str:
    """The path of the first call on an explore page."""
    found = re.search(r'href="(/calls/[^"]+)"', client.get(f"/explore?period=all&{query}").text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("period", ["1h", "7d", "all"])
def test_every_page_answers_for_every_period(client: TestClient, path: str, period: str) -> None:
    """Also for an hour in which next to nothing happened."""
    answer = client.get(f"{path}{'&' if '?' in path else '?'}period={period}" if path != "/setup" else path)

    assert 200 == answer.status_code


@pytest.mark.parametrize("path", [*ALL, "/calls/"])
def test_hostile_values_stay_text(client: TestClient, path: str) -> None:
    """Markup in a team, a model, a tag, an error or a rule is shown, not run."""
    path = call_of(client, f"team={quote(HOSTILE)}") if path == "/calls/" else path
    text = client.get(path).text
    page = _Elements(text)

    assert "img" not in page.tags
    assert [] == [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert 5 == page.tags.count("script")
    assert "<script>alert" not in text


def test_hostile_values_are_there(client: TestClient) -> None:
    """The test above looks at pages that have them."""
    for path in ("/", "/explore", "/policy", "/customers", "/evals", "/compliance", "/budgets"):
        assert "&lt;img src=x onerror=alert(1)&gt;" in client.get(path).text, path


@pytest.mark.parametrize("name", ["team", "model", "feature", "region", "policy_name", "error_type", "budget_name"])
def test_hostile_values_can_be_filtered_by(client: TestClient, name: str) -> None:
    """A link with such a value leads to its call, and the chip of the filter shows it."""
    text = client.get(f"/explore?{name}={quote(HOSTILE)}").text

    assert text.count('href="/calls/') == 1
    assert "Remove this filter" in text


def test_amounts_on_the_page_are_those_of_the_ledger(client: TestClient, sample: Path) -> None:
    """Rounded for the eye; the element's value is the exact sum."""
    entries = LedgerReader(sample / "ledger").entries()
    spent = sum((entry.cost for entry in entries if entry.cost is not None), Decimal(0))
    shown = re.search(r'<dt>Spend, all time</dt>\s*<dd><data value="([^"]+)"', client.get("/?period=all").text)

    assert shown is not None
    assert spent == Decimal(shown[1])


def test_layers_of_the_chart_add_up_to_the_spend(client: TestClient, sample: Path) -> None:
    """The table under the chart is the chart, and nothing is missing from it."""
    text = client.get("/?period=all").text
    chart = text[text.index('id="spend"') : text.index("By team")]
    table = chart[chart.index("<tbody>") : chart.index("</tbody>")]
    entries = LedgerReader(sample / "ledger").entries()

    assert sum((entry.cost for entry in entries if entry.cost is not None), Decimal(0)) == sum(
        Decimal(value) for value in re.findall(r'<data value="([^"]+)"', table)
    )


@pytest.mark.parametrize("path", [page.path for page in PAGES if page.money])
def test_currencies_are_never_added_up(tmp_path: Path, path: str) -> None:
    """Every page with amounts is about one currency, says so, and leads to the others."""
    mine = {"started_at": datetime.now(UTC) - timedelta(hours=2), "budget_name": "monthly"}
    euros = {"cost": Decimal(7), "list_cost": Decimal(7), "currency": "EUR"}
    before = {"started_at": datetime.now(UTC) - timedelta(days=9), "cost": Decimal(4), "list_cost": Decimal(4)}
    write(tmp_path, *(entry(name, **mine) for name in "12"), entry("3", **mine | euros), entry("4", **mine | before))
    state = state_of(tmp_path)
    client = TestClient(make_app(state), base_url="http://127.0.0.1")
    usd, eur, both = (
        client.get(f"{path}{asked}").text for asked in ("", "?currency=EUR", "?currency=EUR&currency=USD")
    )
    state.source.close()

    assert "which cannot be added up. The page is about those in USD." in usd
    assert 'currency=EUR">EUR</a>' in usd
    assert re.search(r">\$0\.020*</data>", usd)
    assert "The page is about those in EUR." in eur
    assert "7.00 EUR</data>" in eur
    assert not re.search(r"7\.02|\$7", usd + eur + both)
    assert "on the period before" not in eur  # nothing was spent in that currency


def test_one_currency_needs_no_choice(tmp_path: Path) -> None:
    """It is shown as what it is, also where calls without a price say nothing of it."""
    mine = {"started_at": datetime.now(UTC), "cost": Decimal(7), "list_cost": Decimal(7), "currency": "EUR"}
    write(
        tmp_path, entry("1", **mine), entry("2", **mine | {"cost": None, "currency": "USD", "cost_status": "unpriced"})
    )
    state = state_of(tmp_path)
    text = TestClient(make_app(state), base_url="http://127.0.0.1").get("/").text
    state.source.close()

    assert "cannot be added up" not in text
    assert ">7.00 EUR</data>" in text
    assert "1 calls</a> have no price" in text


def test_unpriced_is_never_shown_as_zero(client: TestClient) -> None:
    """A team whose calls have no price has no amount, and a group with some says so."""
    text = client.get("/explore?by=team&period=all").text
    row = re.search(r">unpriced-team</a>.*?</tr>", text, re.S)

    assert row is not None
    assert "unpriced</span>" in row[0]
    assert "$0" not in row[0]
    assert "unpriced" in client.get(call_of(client, "team=unpriced-team")).text


def test_estimated_amounts_carry_their_mark(client: TestClient) -> None:
    """In the list and on the call's own page."""
    assert ">est.</abbr>" in client.get("/explore?cost_status=estimated").text
    assert ">est.</abbr>" in client.get(call_of(client, "cost_status=estimated")).text


def test_a_call_shows_the_prices_it_was_made_of(client: TestClient, sample: Path) -> None:
    """Lines of the price book, which add up to what was booked."""
    entry = next(
        entry for entry in LedgerReader(sample / "ledger").entries() if entry.request_model == "claude-sonnet-4-5"
    )
    text = client.get(f"/calls/{entry.call_id}").text
    table = text[text.index("What it was made of") : text.index("For whom")]
    lines = [Decimal(each) for each in re.findall(r'<data value="([^"]+)"', table)]

    assert entry.cost is not None
    assert entry.cost == sum(lines[:-1]) == lines[-1]
    assert "Booked</td>" in table
    for value in (entry.trace_id, entry.call_id, entry.customer_id, "0.05 USD", "customer-daily"):
        assert value is None or value in text


def test_a_call_booked_at_other_prices_says_so(client: TestClient) -> None:
    """What was booked stands; the lines of the price book are beside it, with their own sum."""
    text = client.get(call_of(client, "cost_status=provider_reported")).text

    assert "At the prices installed here</td>" in text
    assert "Booked with price data" in text
    assert "0.9 USD" in text


def test_a_call_shows_how_it_was_judged(tmp_path: Path) -> None:
    """Its own evaluations and those of its whole trace, not those of a sibling; without any, how to record one."""
    trace = "a" * 32
    write(
        tmp_path,
        entry("CALL", trace_id=trace),
        entry("SIBLING", trace_id=trace),
        entry("ALONE"),
        evaluation("e1", name="tone", call_id="CALL", trace_id=trace, score=0.25, threshold=0.5, passed=False),
        evaluation("e2", name="of-the-trace", trace_id=trace),
        evaluation("e3", name="of-the-sibling", call_id="SIBLING", trace_id=trace),
    )
    state = state_of(tmp_path)
    client = TestClient(make_app(state), base_url="http://127.0.0.1")
    judged, alone = (client.get(f"/calls/{call_id}").text for call_id in ("CALL", "ALONE"))
    state.source.close()

    assert re.search(r"tone</td>.*0\.25</td>.*0\.5</td>.*failed</span>.*this call", judged)
    assert re.search(r"of-the-trace</td>.*passed</span>.*its trace", judged)
    assert "of-the-sibling" not in judged
    assert "genops.record_evaluation(" in alone


def test_a_drill_down_ends_at_calls(client: TestClient) -> None:
    """Each row narrows what is shown, keeps what was chosen, and groups by what is next."""
    query = "?period=all&by=team"
    seen = []
    for _ in range(4):
        text = client.get(f"/explore{query}").text
        groups = text[text.index("groups-title") : text.index('id="calls"')]
        rows = re.findall(r'<a class="row" href="/explore(\?[^"#]+)', groups)
        query = next(row for row in rows if "support" in row or seen).replace("&amp;", "&")
        seen.append(query)

    assert "team=support" in seen[-1]
    assert ["by=feature", "by=model", "by=customer_id"] == [re.findall(r"by=\w+", each)[-1] for each in seen[:3]]
    assert client.get(f"/explore{seen[-1]}").text.count('href="/calls/') < CALLS / 3


@pytest.mark.parametrize("order", ["started_at", "cost"])
def test_all_calls_can_be_reached_page_by_page(client: TestClient, order: str) -> None:
    """Each call once, in order."""
    href, found = f"/explore?period=all&order={order}", []
    while href:
        text = client.get(href).text
        found += re.findall(r'href="/calls/([^"]+)"', text)
        following = re.search(r'rel="next" href="([^"#]+)', text)
        href = following[1].replace("&amp;", "&") if following is not None else ""

    assert CALLS + 6 == len(found) == len(set(found))


def test_the_filter_form_leads_to_a_url(client: TestClient) -> None:
    """What was chosen before stays; the new filter takes the place of an older one of its column."""
    answer = client.get("/explore/filter?period=24h&team=search&by=model&column=team&value=a%26b")

    assert (303, "/explore?period=24h&team=a%26b&by=model") == (answer.status_code, answer.headers["location"])


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/explore?teem=search", 400, "team"),
        ("/?period=2w", 400, "7d"),
        ("/calls/nobody", 404, "no such call"),
        ("/explore?before=nonsense~x", 400, "before"),
        ("/explore/filter?column=teem&value=x", 400, "team"),
        (f"/explore?{quote(HOSTILE)}=x", 400, "&lt;img"),
    ],
)
def test_wrong_urls_are_answered_with_a_page(client: TestClient, path: str, status: int, said: str) -> None:
    """It says what is wrong and what to type; never a traceback, never an unfiltered page."""
    answer = client.get(path)

    assert status == answer.status_code
    assert said in answer.text
    assert "<script>alert" not in answer.text


def test_an_empty_ledger_teaches_what_to_type(tmp_path: Path) -> None:
    """No page is empty, and none fails."""
    (tmp_path / "ledger").mkdir()
    state = state_of(tmp_path / "ledger")
    client = TestClient(make_app(state), base_url="http://127.0.0.1")
    texts = {path: client.get(path).text for path in PATHS}
    state.source.close()

    assert "genops run -- python app.py" in texts["/"]
    assert "team-daily" in texts["/budgets"]
    assert "condition:" in texts["/policy"]
    assert "record_evaluation" in texts["/evals"]
    assert "genops run" in texts["/setup"]


def test_a_ledger_that_is_not_loaded_yet_is_no_empty_one(sample: Path) -> None:
    """A server answers before it has copied a large ledger."""
    replica = Replica(sample / "ledger")
    state = ServerState(source=replica, directory=sample / "ledger", settings=settings_of(sample / "ledger"))
    text = TestClient(make_app(state), base_url="http://127.0.0.1").get("/").text
    replica.close()

    assert "Loading the ledger" in text
    assert "No calls" not in text


def test_a_server_in_trouble_says_so_on_every_page(sample: Path, state: ServerState) -> None:
    """What is shown may be old then."""
    trouble = replace(state, health=lambda: {"problems": ["the ledger in /x cannot be written (disk full)"]})
    client = TestClient(make_app(trouble), base_url="http://127.0.0.1")
    for path in PATHS:
        assert "may be old: the ledger in /x cannot be written (disk full)</div>" in client.get(path).text


def test_budgets_show_where_they_stand(client: TestClient) -> None:
    """From the counters of the budget store, not from the ledger."""
    text = client.get("/budgets").text

    assert "used up</span>" in text
    assert 'value="0.500000000' in text or 'value="0.5"' in text
    assert '42,000 <span class="soft">of 100k tokens</span>' in text
    assert "copy-per-minute" in text


def test_a_budget_store_that_does_not_answer_is_said(state: ServerState, tmp_path: Path) -> None:
    """Then nothing is shown as left."""
    (tmp_path / "genops.yaml").write_text(
        "budgets: [{name: x, limit: 5}]\nbudget_store: {url: 'redis://127.0.0.1:1/0'}"
    )
    broken = state_of(state.directory, tmp_path / "genops.yaml")
    text = TestClient(make_app(broken), base_url="http://127.0.0.1").get("/budgets").text
    broken.source.close()

    assert 'role="alert"' in text
    assert "does not answer" in text
    assert "in order" not in text


def test_compliance_shows_the_kill_switch(sample: Path, state: ServerState) -> None:
    """As long as calls are stopped, the page says so first."""
    client = TestClient(make_app(state), base_url="http://127.0.0.1")
    switch = state.settings.policy.kill_switch
    switch.write_text("reason: incident 4711\n")
    try:
        stopped = client.get("/compliance").text
    finally:
        switch.unlink()

    assert "incident 4711" in stopped
    assert "incident 4711" not in client.get("/compliance").text


def test_policy_shows_the_rule_that_acted_as_it_is_written(client: TestClient) -> None:
    """With the comment above it, and where."""
    text = client.get("/policy").text

    assert "# Growth experiments run on small models." in text
    assert "policies.yaml:3" in text
    assert "condition: model.startsWith(&#34;claude-opus&#34;)" in text


def test_pages_only_read(client: TestClient) -> None:
    """There is nothing to forge: no page takes anything but GET."""
    for path in PATHS:
        assert 405 == client.post(path, headers={"origin": "http://127.0.0.1"}).status_code


def test_pages_are_not_kept_and_files_are(client: TestClient) -> None:
    """Amounts do not stay in a shared cache; what names its version may."""
    assert "no-store" == client.get("/").headers["cache-control"]
    assert "immutable" in client.get("/assets/dashboard.css").headers["cache-control"]
    assert "default-src 'self'" in client.get("/").headers["content-security-policy"]
