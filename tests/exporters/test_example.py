"""examples/exporters, run as its README says."""

from __future__ import annotations

from pathlib import Path

from tests.exporters import loopback

SCRIPT = Path(__file__).resolve().parents[2] / "examples/exporters/send_one_call.py"
RUN = f"import runpy, sys; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"


def test_one_call_arrives(tmp_path: Path) -> None:
    """The example sends a span with the cost, and says where to."""
    with loopback.backend() as server:
        done = loopback.run(tmp_path, RUN, "tempo", TEMPO_ENDPOINT=server.url)

    assert (0, "") == (done.returncode, done.stderr)
    assert f"one call of 0.0125 USD, to Grafana Tempo, {server.url}/v1/traces" == done.stdout.strip()
    (span,) = (span for sent in server.sent for span in sent.spans)
    assert 0.0125 in [each.value.double_value for each in span.attributes]


def test_what_is_missing_is_said_with_what_to_type(tmp_path: Path) -> None:
    """Without the key nothing is sent; without a name, how it is used."""
    missing = loopback.run(tmp_path, RUN, "honeycomb")
    unnamed = loopback.run(tmp_path, RUN)

    assert (1, True) == (missing.returncode, "export HONEYCOMB_API_KEY=" in missing.stderr)
    assert (2, True) == (unnamed.returncode, "usage:" in unnamed.stderr)
