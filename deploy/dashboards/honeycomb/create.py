"""Create the board in Honeycomb: HONEYCOMB_CONFIG_KEY=... python create.py [DATASET]

The key is a configuration key that may create queries and boards. DATASET is where spans go: the service's name, or
left out, all of the environment. HONEYCOMB_ENDPOINT is another address, in the EU https://api.eu1.honeycomb.io.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

BOARD = Path(__file__).with_name("board.json")


def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send one request, and give the answer; ends with what Honeycomb says if it refuses."""
    request = urllib.request.Request(
        os.environ.get("HONEYCOMB_ENDPOINT", "https://api.honeycomb.io").rstrip("/") + path,
        json.dumps(body).encode(),
        {"X-Honeycomb-Team": os.environ["HONEYCOMB_CONFIG_KEY"], "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:300]
        sys.exit(
            f"{path}: HTTP {error.code} {said}\n  fix: check HONEYCOMB_CONFIG_KEY, and that the dataset has the columns"
        )


def main() -> None:
    """Create the queries, their names, and the board that shows them."""
    if not os.environ.get("HONEYCOMB_CONFIG_KEY"):
        sys.exit(
            "HONEYCOMB_CONFIG_KEY is not set.\n  fix: export HONEYCOMB_CONFIG_KEY=...   (in the environment's settings)"
        )
    dataset = sys.argv[1] if len(sys.argv) > 1 else "__all__"
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    panels = []
    for panel in board["panels"]:
        query = post(f"/1/queries/{dataset}", panel["query"])["id"]
        named = {"name": panel["title"], "description": panel["description"], "query_id": query}
        annotation = post(f"/1/query_annotations/{dataset}", named)["id"]
        shown = {"query_id": query, "query_annotation_id": annotation, "query_style": panel["style"]}
        panels.append({"type": "query", "query_panel": shown})
    made = post(
        "/1/boards", {"type": "flexible", "name": board["name"], "description": board["description"], "panels": panels}
    )
    print(f"board {made['id']} with {len(panels)} queries")


if __name__ == "__main__":
    main()
