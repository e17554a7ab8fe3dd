"""Soak: memory over many governed calls, and over streams that nobody reads to the end.

python bench/soak/run.py                       200,000 calls and 10,000 abandoned streams
python bench/soak/run.py --calls 20000

The real OpenAI SDK on a transport that answers from recordings, ledger and telemetry on. Prints resident memory as it
goes, and writes bench/results/soak.json.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
import openai
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import genops
from genops.testing.replay import load_recordings

BENCH = Path(__file__).resolve().parents[1]
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


class Answers(httpx2.BaseTransport):
    """Answers every request from two recordings, each with an id of its own."""

    def __init__(self) -> None:
        found = {each.id: each for each in load_recordings(BENCH.parent / "tests/recordings")}
        self.whole = found["openai-chat-once-0b39ae08eb"]
        self.streamed = found["openai-chat-stream-2466337cc2"]
        self.count = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.count += 1
        streamed = b'"stream":true' in request.content.replace(b" ", b"")
        exchange = self.streamed if streamed else self.whole
        body = re.sub(r'"id":\s*"chatcmpl[^"]*', f'"id":"chatcmpl-{self.count}', exchange.body)
        kind = "text/event-stream" if streamed else "application/json"
        return httpx2.Response(200, headers={"content-type": kind}, content=body.encode())


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--calls", type=int, default=200_000)
    arguments.add_argument("--streams", type=int, default=10_000)
    chosen = arguments.parse_args()
    trace.set_tracer_provider(TracerProvider())
    with tempfile.TemporaryDirectory() as directory:
        genops.auto_instrument(
            adapters=["openai"], team="soak", project="p", environment="t", ledger={"dir": directory}
        )
        client = openai.OpenAI(api_key="test", http_client=httpx2.Client(transport=Answers()), max_retries=0)
        result = {"calls": calls(client, chosen.calls), "abandoned_streams": streams(client, chosen.streams)}
        genops.uninstrument()
    (BENCH / "results/soak.json").write_text(json.dumps(result, indent=1) + "\n")


def ask(client: Any, number: int, **more: Any) -> Any:
    messages = [{"role": "user", "content": f"Question {number}"}]
    return client.chat.completions.create(
        model="gpt-4o-mini", messages=messages, customer_id=f"c{number % 5000}", **more
    )


def calls(client: Any, count: int) -> list[dict[str, float]]:
    seen, started = [], time.monotonic()
    for number in range(1, count + 1):
        ask(client, number)
        if number % max(count // 10, 1) == 0:
            gc.collect()
            seen.append(
                {"calls": number, "seconds": round(time.monotonic() - started, 1), "mib": round(resident_mib(), 1)}
            )
            print(seen[-1], flush=True)
    return seen


def streams(client: Any, count: int) -> list[dict[str, float]]:
    seen = []
    for number in range(1, count + 1):
        stream = ask(client, number, stream=True)
        next(iter(stream))
        del stream
        if number % max(count // 5, 1) == 0:
            gc.collect()
            seen.append({"streams": number, "mib": round(resident_mib(), 1)})
            print(seen[-1], flush=True)
    return seen


if __name__ == "__main__":
    main()
