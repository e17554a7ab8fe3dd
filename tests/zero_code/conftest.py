"""Programs that know nothing of GenOps, started as a user starts them, against a replayed provider."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from genops.core.ledger import LedgerEntry
from genops.stores import LedgerReader
from genops.testing.replay import ReplayServer, load_recordings

BIN = Path(sys.executable).parent
GENOPS_RUN = (str(BIN / "genops"), "run", "--")
OPENTELEMETRY = (str(BIN / "opentelemetry-instrument"),)
CHAT, STREAM = "openai-chat-once-0b39ae08eb", "openai-chat-stream-b43ccf319f"
DEADLINE_S = 60.0

# One call, as an application makes it. `ask()` is there for every program started here.
ASKING = """
import os, sys, openai

def ask(say="hello", **more):
    client = openai.OpenAI(api_key="test", base_url=os.environ["PROVIDER"] + "/v1", max_retries=0)
    return client.chat.completions.create(
        model="gpt-5.4-mini", messages=[{"role": "user", "content": say}], max_completion_tokens=100, **more
    )
"""


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` gives once it is true."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} within {DEADLINE_S:.0f} s")


class Place:
    """A folder to run programs in, the provider they talk to, and the ledger they leave behind."""

    def __init__(self, folder: Path, server: ReplayServer) -> None:
        self.folder, self.server = folder, server
        self.ledger = folder / "ledger"
        self.env = {
            **os.environ,
            "PROVIDER": server.url,
            "GENOPS_LEDGER_DIR": str(self.ledger),
            "GENOPS_TEAM": "search",
            "GENOPS_PROJECT": "shop",
            "GENOPS_ENVIRONMENT": "test",
            **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
            "PYTHONPATH": str(folder),
            "PYTHONUNBUFFERED": "1",
        }
        self.env.pop("PYTHONWARNINGS", None)
        (folder / "asking.py").write_text(ASKING)
        self._started: list[subprocess.Popen[str]] = []

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def run(self, *command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            [str(each) for each in command],
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )

    def start(self, *command: str | Path, **env: str) -> subprocess.Popen[str]:
        """Start, in a process group of its own; its output goes to a file."""
        with (self.folder / "output.txt").open("a") as output:
            process = subprocess.Popen(
                [str(each) for each in command],
                cwd=self.folder,
                env={**self.env, **env},
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    @property
    def output(self) -> str:
        return (self.folder / "output.txt").read_text()

    def stop_all(self) -> None:
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def entries(self) -> list[LedgerEntry]:
        """What the ledger holds now, also of processes that still run."""
        return list(LedgerReader(self.ledger).entries()) if self.ledger.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    wanted = {CHAT, STREAM}
    recordings = [each for each in load_recordings(Path(__file__).parents[1] / "recordings") if each.id in wanted]
    assert len(wanted) == len(recordings)
    with ReplayServer(recordings, unique_ids=True) as server:
        made = Place(tmp_path, server)
        yield made
        made.stop_all()
