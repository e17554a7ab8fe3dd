"""Attribution across services: what travels in baggage, and what is taken from it."""

from __future__ import annotations

import pytest
from opentelemetry import baggage as otel_baggage
from opentelemetry import propagate
from opentelemetry.context import Context, attach, detach

from genops.core import attribution as attributions
from genops.core import baggage
from genops.core.attribution import attribution, current, set_default_attributes
from genops.core.errors import ConfigurationError


@pytest.fixture(autouse=True)
def fresh():
    """Nothing travels, and OpenTelemetry's propagators are as they were."""
    before = propagate.get_global_textmap()
    attributions.reset()
    yield
    baggage.disable()
    attributions.reset()
    propagate.set_global_textmap(before)


def receive(headers: dict[str, str]) -> object:
    return attach(propagate.extract(headers))


def send() -> str:
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers.get("baggage", "")


def test_nothing_travels_by_default():
    """Without an allow-list no attribute leaves the process, and none is taken in."""
    with attribution(team="search"):
        assert send() == ""
    token = receive({"baggage": "genops.team=search"})
    assert current().team is None
    detach(token)


def test_only_allowed_attributes_are_sent():
    """The allow-list decides field by field."""
    baggage.enable(["team"])
    with attribution(team="search", customer_id="secret"):
        assert send() == "genops.team=search"
    assert send() == ""


def test_values_survive_the_way_to_the_other_service():
    """Commas, blanks, signs and other alphabets arrive as they were sent."""
    baggage.enable(["customer_id"])
    value = "Übung, 100 % = 東京;x"
    with attribution(customer_id=value):
        header = send()
    assert header.isascii()
    token = receive({"baggage": header})
    assert current().customer_id == value
    detach(token)


def test_incoming_baggage_is_context_below_what_this_process_sets():
    """Baggage goes before defaults, and a block here before baggage."""
    baggage.enable(["team", "feature"])
    set_default_attributes(team="house")
    token = receive({"baggage": "genops.team=caller,genops.feature=f,genops.project=not-allowed"})
    assert (current().team, current().feature, current().project) == ("caller", "f", None)
    with attribution(team="block"):
        assert (current().team, current().feature) == ("block", "f")
        assert current({"team": "call"}).team == "call"
    detach(token)
    assert current().team == "house"


def test_other_entries_of_the_baggage_stay():
    """What the application itself put in its baggage is sent along."""
    baggage.enable(["team"])
    token = attach(otel_baggage.set_baggage("shard", "7"))
    with attribution(team="search"):
        assert sorted(send().split(",")) == ["genops.team=search", "shard=7"]
    detach(token)


@pytest.mark.parametrize("value", ["x" * 257, " ", "unknown", 7], ids=["long", "blank", "placeholder", "no text"])
def test_what_makes_no_sense_is_passed_over(value):
    """A caller's bad value neither breaks this service nor is accounted to."""
    baggage.enable(["team"])
    assert baggage.from_baggage(otel_baggage.set_baggage("genops.team", value, Context())) == {}


def test_a_long_value_is_not_sent():
    """A header has room for few bytes: an oversized value stays here."""
    baggage.enable(["team", "feature"])
    with attribution(team="x" * 257, feature="f"):
        assert send() == "genops.feature=f"


def test_enabling_twice_installs_one_propagator():
    """Reconfiguring does not pile propagators up."""
    baggage.enable(["team"])
    installed = propagate.get_global_textmap()
    baggage.enable(["feature"])
    assert propagate.get_global_textmap() is installed


def test_an_unknown_field_is_refused_with_the_nearest():
    """A misspelt field would otherwise never travel."""
    with pytest.raises(ConfigurationError, match=r"'teams' cannot travel in baggage. Did you mean 'team'\?"):
        baggage.enable(["teams"])


def test_the_propagator_leaves_receiving_to_opentelemetry():
    """Extracting changes nothing; the header it writes is the standard one."""
    propagator = baggage.AttributionPropagator()
    context = Context()
    assert propagator.extract({"baggage": "a=b"}, context) is context
    assert otel_baggage.get_all(propagator.extract({"baggage": "a=b"})) == {}
    assert propagator.fields == {"baggage"}


def test_a_propagator_left_behind_writes_nothing():
    """After baggage is switched off, the installed propagator adds no header."""
    baggage.enable(["team"])
    baggage.disable()
    headers: dict[str, str] = {}
    with attribution(team="search"):
        baggage.AttributionPropagator().inject(headers)
    assert headers == {}
