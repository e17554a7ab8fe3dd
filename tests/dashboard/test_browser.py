"""The dashboard in a real browser: what a person sees, clicks and types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.dashboard.conftest import Tab, served, state_of, tab
from tests.dashboard.sample import HOSTILE, write_sample

from genops.core.ledger import LedgerEntry
from genops.server.dashboard.app import PAGES
from genops.stores import LedgerReader, open_ledger

PATHS = [page.path for page in PAGES]
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
PATIENCE_MS = 20_000  # the machine may be busy


@pytest.fixture
def opened(browser: Browser, url: str) -> Iterator[Tab]:
    with tab(browser, url) as found:
        found.page.set_default_timeout(PATIENCE_MS)
        yield found


def settled(page: Page, path: str) -> Page:
    """Open a page and wait until its charts are drawn."""
    page.goto(path)
    page.wait_for_function("document.querySelectorAll('.chart:not(.drawn):not(.undrawn)').length === 0")
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_loads_by_itself_and_can_be_read(browser: Browser, url: str, theme: str) -> None:
    """No message on the console, no dialog, no request to another host, WCAG AA contrast of every text."""
    with tab(browser, url, color_scheme=theme) as found:
        found.page.set_default_timeout(PATIENCE_MS)
        faint = []
        call = f"/calls/{settled(found.page, '/explore').locator('#calls a.row').first.get_attribute('href')}"
        for path in [*PATHS, call.replace("/calls//calls/", "/calls/")]:
            settled(found.page, path)
            faint += [f"{path}: {each}" for each in found.page.evaluate(CONTRAST)]

    assert [] == found.faults
    assert [] == found.strangers
    assert [] == faint


def test_contrast_check_can_fail(opened: Tab) -> None:
    """Grey on white is found."""
    opened.page.set_content("<body style='background: #fff'><p style='color: #aaa'>faint</p><p>clear</p></body>")

    assert ["faint"] == [each.split(":")[0] for each in opened.page.evaluate(CONTRAST)]


def test_no_page_is_wider_than_a_phone(browser: Browser, url: str) -> None:
    """What is wide scrolls inside itself."""
    with tab(browser, url, viewport={"width": 390, "height": 844}) as found:
        found.page.set_default_timeout(PATIENCE_MS)
        wide = {}
        for path in PATHS:
            width = settled(found.page, path).evaluate("document.scrollingElement.scrollWidth")
            wide |= {path: width} if width > 390 else {}

    assert {} == wide


def test_a_phone_shows_where_it_is_and_what_a_call_cost(browser: Browser, url: str) -> None:
    """The navigation is scrolled to the page, and no amount is beyond the edge."""
    with tab(browser, url, viewport={"width": 390, "height": 844}) as found:
        found.page.set_default_timeout(PATIENCE_MS)
        page = settled(found.page, "/setup")
        ends = [_right_edge(page.locator(".side nav [aria-current]"))]
        settled(page, "/explore?period=all&team=support&cost_status=priced")
        ends.append(_right_edge(page.locator("#calls td", has_text="$").first))
        page.locator("#calls a.row").first.click()
        expect(page).to_have_url(re.compile(r"/calls/"))
        ends.append(_right_edge(page.locator("tfoot td").last))

    assert [] == [end for end in ends if end > 390]


def _right_edge(what: Locator) -> float:
    box = what.bounding_box()
    assert box is not None
    return box["x"] + box["width"]


def test_drilling_down_leads_to_a_call_and_its_prices(opened: Tab) -> None:
    """From a team to one call, by clicks alone; the URL always says where."""
    page = settled(opened.page, "/?period=all")
    page.locator("section", has_text="By team").get_by_role("link", name="support", exact=True).click()
    expect(page).to_have_url(re.compile(r"/explore\?period=all&team=support$"))
    expect(page.get_by_role("heading", name="By feature")).to_be_visible()
    page.locator("section[aria-labelledby=groups-title] a.row").first.click()
    expect(page).to_have_url(re.compile(r"feature="))
    page.locator("#calls a.row").last.click()
    expect(page).to_have_url(re.compile(r"/calls/"))
    expect(page.get_by_role("cell", name="Booked")).to_be_visible()
    page.go_back()
    expect(page.get_by_title("Remove this filter")).to_have_count(2)
    assert [] == opened.faults


def test_filters_live_in_the_url(opened: Tab) -> None:
    """Typed, then read back after a reload, then removed."""
    page = settled(opened.page, "/explore?period=all")
    page.get_by_label("Only where").select_option("customer_id")
    page.get_by_label("is", exact=True).fill("acme")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?period=all&customer_id=acme"))
    page.reload()
    chip = page.get_by_title("Remove this filter")
    expect(chip).to_contain_text("acme")
    page.locator("nav a", has_text="Unit economics").click()
    expect(page).to_have_url(re.compile(r"/customers\?period=all&customer_id=acme"))
    page.get_by_title("Remove this filter").click()
    expect(page).to_have_url(re.compile(r"/customers\?period=all$"))


def test_everything_can_be_done_with_keys(opened: Tab) -> None:
    """Pages, help, rows, period and filter, without a pointer."""
    page = settled(opened.page, "/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    for key, path in (("b", "/budgets"), ("e", "/explore")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"{path}$"))
    page.keyboard.press("6")
    expect(page).to_have_url(re.compile(r"\?period=all$"))
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert 1 == page.evaluate("[...document.querySelectorAll('#page a.row')].indexOf(document.activeElement)")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"team="))
    page.keyboard.press("u")
    expect(page).to_have_url(re.compile(r"/explore\?period=all&by=feature$"))
    page.keyboard.press("/")
    expect(page.get_by_label("is", exact=True)).to_be_focused()
    page.keyboard.type("g?t")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert [] == opened.faults


def test_the_chosen_theme_stays(browser: Browser, url: str) -> None:
    """Over the system's, on every page, before anything is drawn."""
    with tab(browser, url, color_scheme="light") as found:
        page = settled(found.page, "/")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        page.keyboard.press("t")
        dark = page.evaluate(ground)
        settled(page, "/budgets")

        assert light != dark
        assert dark == page.evaluate(ground)


def test_charts_are_drawn_from_their_numbers(opened: Tab) -> None:
    """A canvas over the table, which stays one click away; the pointer reads a bucket."""
    page = settled(opened.page, "/?period=all")
    chart = page.locator("#spend")
    expect(chart.locator("canvas")).to_be_visible()
    expect(chart.get_by_role("table")).to_be_hidden()
    box = chart.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(chart.locator(".when")).to_contain_text(re.compile(r"\d\d:\d\d"))
    chart.get_by_text("Numbers").click()
    expect(chart.get_by_role("table")).to_be_visible()


def test_pages_work_without_javascript(browser: Browser, url: str) -> None:
    """Tables, filters and links; every number of every chart."""
    with tab(browser, url, java_script_enabled=False) as found:
        page = found.page
        page.goto("/?period=all")
        expect(page.locator("#spend").get_by_role("table")).to_be_visible()
        expect(page.locator("#live")).to_be_hidden()
        page.locator("section", has_text="By model").locator("a.row").first.click()
        expect(page).to_have_url(re.compile(r"model="))
        page.goto("/setup")
        expect(page.get_by_role("link", name="Run them")).to_be_visible()


def test_the_page_shows_a_call_as_it_arrives(browser: Browser, tmp_path: Path) -> None:
    """Nobody reloads; what is focused and open stays so."""
    directory = write_sample(tmp_path)
    state = state_of(directory / "ledger", directory / "genops.yaml")
    template = next(entry for entry in LedgerReader(directory / "ledger").entries() if entry.cost is not None)
    with served(state) as url, tab(browser, url) as found:
        page = settled(found.page, "/explore?period=all&by=team")
        page.set_default_timeout(PATIENCE_MS)
        expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE_MS)
        page.keyboard.press("j")
        ledger = open_ledger(directory / "ledger")
        fields = {name: getattr(template, name) for name in LedgerEntry.__dataclass_fields__}
        ledger.append(LedgerEntry(**fields | {"call_id": "01ARRIVED", "team": "newcomers"}))
        ledger.close()
        state.source.advance()  # type: ignore[attr-defined]  # a replica
        state.changed.tick()
        expect(page.get_by_role("link", name="newcomers")).to_be_visible(timeout=PATIENCE_MS)
        focused = page.evaluate("document.activeElement.classList.contains('row')")

    state.source.close()
    assert [] == found.faults
    assert focused


def test_hostile_values_run_nowhere(opened: Tab) -> None:
    """Not on the page, not in a chart's legend, not after a swap."""
    page = settled(opened.page, "/?period=all&split=team")
    expect(page.locator("#spend .legend")).to_contain_text("<script>")
    page.locator("section", has_text="By team").locator("a.row", has_text="img src").click()
    expect(page.get_by_title("Remove this filter")).to_contain_text(HOSTILE)
    page.locator("#calls a.row").first.click()
    expect(page).to_have_url(re.compile(r"/calls/"))

    assert [] == opened.faults
    assert 0 == page.locator("#page img").count()


def test_setup_runs_its_checks_by_itself(opened: Tab) -> None:
    """They take their time, so the page comes first."""
    page = settled(opened.page, "/setup")
    expect(page.locator("#findings")).to_be_visible(timeout=6 * PATIENCE_MS)
    expect(page.locator("#findings")).to_contain_text("settings")
