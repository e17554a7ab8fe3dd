"""The demo's application on replayed traffic, governed by GenOps; where it exports to, the environment says."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import genops
from genops.cli.demo.app import Application
from genops.cli.demo.server import demo_server


def main() -> None:
    """Handle every request of the demo."""
    settings = Path(str(resources.files("genops.cli"))) / "demo" / "genops.yaml"
    with demo_server() as server:
        genops.auto_instrument(settings)
        application = Application(server.url)
        for request in application.requests():
            application.handle(*request)
        application.close()
        genops.uninstrument()


if __name__ == "__main__":
    main()
