"""Send one governed call to the backend that is named: `python send_one_call.py honeycomb`.

Its variables are in docs/reference/backends.md; what is missing is said with what to type.
"""

from __future__ import annotations

import sys

import genops


def main() -> int:
    """Check the backend, send one call through it, and say where it went."""
    if len(sys.argv) != 2:
        print("usage: python send_one_call.py BACKEND", file=sys.stderr)
        return 2
    backend = sys.argv[1]
    result = genops.validate_setup(backend=backend)
    if not result.is_valid:
        print(result, file=sys.stderr)
        return 1

    genops.configure(backend=backend, team="platform", project="exporters-example", environment="development")
    genops.track_cost("0.0125", provider="acme", model="acme-large")
    print(f"one call of 0.0125 USD, to {genops.status().exporting_to}")
    genops.uninstrument()
    return 0


if __name__ == "__main__":
    sys.exit(main())
