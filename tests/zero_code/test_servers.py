"""Real servers under governance: Gunicorn, Uvicorn and Celery with several processes, and notebooks."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from .conftest import BIN, DEADLINE_S, GENOPS_RUN, LEASED, OPENTELEMETRY, Collector, Place, wait_for

pytestmark = pytest.mark.skipif(
    not (BIN / "gunicorn").exists(),
    reason="the servers are not installed.  fix: pip install -c constraints.txt --group processes",
)

WSGI = """
from asking import *
ask()

def app(environ, start_response):
    stream = ask(stream=True, stream_options={"include_usage": True})
    for _ in stream:
        pass
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
ASGI = """
import os, openai
from contextlib import asynccontextmanager

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event.endswith("shutdown"):
                return
    client = openai.AsyncOpenAI(api_key="test", base_url=os.environ["PROVIDER"] + "/v1", max_retries=0)
    await client.chat.completions.create(
        model="gpt-5.4-mini", messages=[{"role": "user", "content": "hello"}], max_completion_tokens=100
    )
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""
TASKS = """
from celery import Celery
from asking import *

app = Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.broker_connection_retry_on_startup = True

@app.task
def work():
    ask()
    return os.getpid()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(port: int) -> str | None:
    """The process that answered; None if nobody did."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
            found: str = answer.read().decode()
            return found
    except OSError:
        return None


def asked_two_processes(place: Place, server: subprocess.Popen[str], port: int) -> int:
    """Ask until two processes have answered; how many answers there were."""
    answered: list[str] = []

    def two() -> bool:
        found = get(port)
        answered.extend([found] if found else [])
        return len(set(answered)) == 2 or server.poll() is not None

    wait_for(two, "two processes did not answer")
    assert server.poll() is None, place.output
    return len(answered)


def stop(server: subprocess.Popen[str]) -> int:
    server.terminate()
    return server.wait(DEADLINE_S)


@pytest.mark.parametrize(
    ("options", "launcher"),
    [
        pytest.param((), GENOPS_RUN, id="genops-run"),
        pytest.param(("--preload",), GENOPS_RUN, id="genops-run-preload"),
        pytest.param(("--preload", "--threads", "2"), OPENTELEMETRY, id="opentelemetry-preload-threads"),
    ],
)
def test_gunicorn(place: Place, collector: Collector, options: tuple[str, ...], launcher: tuple[str, ...]) -> None:
    """Workers, forked before or after the application called: each call once, and nothing held when they leave."""
    place.write("genops.yaml", LEASED)
    place.write("web.py", WSGI)
    port = free_port()
    exporters = {} if launcher is GENOPS_RUN else {"OTEL_TRACES_EXPORTER": "otlp"}
    command = (BIN / "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", *options, "web:app")
    server = place.start(*launcher, *command, **{**collector.env, **exporters})
    answers = asked_two_processes(place, server, port)

    assert 0 == stop(server), place.output
    loaded = 1 if "--preload" in options else 2
    assert answers + loaded == len(place.call_ids), place.output
    assert place.call_ids == collector.call_ids
    assert (0, False) == (place.reserved, "Traceback" in place.output)


@pytest.mark.parametrize("launcher", [GENOPS_RUN, OPENTELEMETRY], ids=["genops-run", "opentelemetry-instrument"])
def test_uvicorn_with_workers(place: Place, collector: Collector, launcher: tuple[str, ...]) -> None:
    """Workers that are spawned, and leave without `atexit`."""
    place.write("genops.yaml", LEASED)
    place.write("web.py", ASGI)
    port = free_port()
    exporters = {} if launcher is GENOPS_RUN else {"OTEL_TRACES_EXPORTER": "otlp"}
    command = (BIN / "uvicorn", "--workers", "2", "--port", str(port), "web:app")
    server = place.start(*launcher, *command, **{**collector.env, **exporters})
    answers = asked_two_processes(place, server, port)
    status = stop(server)

    assert status in (0, -signal.SIGTERM), place.output
    assert answers == len(place.call_ids), place.output
    assert place.call_ids == collector.call_ids
    assert (0, False) == (place.reserved, "Traceback" in place.output)


def test_celery_prefork(place: Place, collector: Collector) -> None:
    """Pool processes, which leave with `os._exit`: by a warm shutdown, and each after its number of tasks."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed here.  fix: apt-get install redis-server")
    place.write("genops.yaml", LEASED)
    place.write("tasks.py", TASKS)
    port = free_port()
    redis = place.start("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
    broker = {"BROKER": f"redis://127.0.0.1:{port}/0"}
    command = (BIN / "celery", "-A", "tasks", "worker", "-c", "2", "-l", "warning", "--max-tasks-per-child", "3")
    worker = place.start(*GENOPS_RUN, *command, **collector.env, **broker)
    client = place.write(
        "client.py",
        "from tasks import work\nfrom celery import group\n"
        "print(len(set(group(work.s() for _ in range(8))().get(timeout=50))) >= 2)\n",
    )
    result = place.run(sys.executable, client, **broker)

    assert "True\n" == result.stdout, result.stderr + place.output
    assert 0 == stop(worker), place.output
    redis.terminate()
    assert 8 == len(place.call_ids), place.output
    assert place.call_ids == collector.call_ids
    assert (0, False) == (place.reserved, "Traceback" in place.output)


def test_notebook(place: Place, collector: Collector) -> None:
    """The kernel of a notebook that is executed from the command line, and what it forks."""
    place.write("genops.yaml", LEASED)
    cells = [
        "from asking import *\nask().id",
        "import multiprocessing\nwith multiprocessing.get_context('fork').Pool(1) as pool: pool.map(ask, ['a'])",
        "import genops\ngenops.status().instrumented",
    ]
    code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    notebook = {
        "cells": [{**code, "id": f"c{number}", "source": cell} for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = place.write("book.ipynb", json.dumps(notebook))
    kernels = Path(sys.prefix) / "share/jupyter"
    result = place.run(
        *(*GENOPS_RUN, BIN / "jupyter", "execute", "--inplace", path), JUPYTER_PATH=str(kernels), **collector.env
    )

    assert 0 == result.returncode, result.stderr
    shown = json.loads(path.read_text())["cells"][-1]["outputs"]
    assert "'openai'" in json.dumps(shown)
    assert 2 == len(place.call_ids)
    assert place.call_ids == collector.call_ids
    assert 0 == place.reserved
