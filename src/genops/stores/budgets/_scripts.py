"""The Lua scripts of the Redis store: one per operation, each run by the server at once or not at all.

They are those of the Collector, too, which counts in the same keys. All keys of a namespace share one hash tag, so they
live on one node of a cluster. A counter is a hash (s: spent, r: reserved, m: alert mask), a reservation is a hash,
`open` has the open reservations by expiry, `index` the counters by how long they are kept. Amounts travel as decimal
strings and are added by HINCRBY, which is exact; Lua compares them as doubles, which are exact below 2^53, and no
budget is larger. `mark` tells whether this is still the data that the process knows; a server that lost it says LOST.

Source: spec/budgets.
"""

from __future__ import annotations

import json
from importlib import resources

__all__ = ["ADJUST", "EXPIRE", "EXTEND", "RESERVE", "SETTLE", "USAGE"]

_SCRIPTS: dict[str, str] = json.loads(
    resources.files("genops.data").joinpath("budget_scripts.json").read_text(encoding="utf-8")
)
RESERVE, SETTLE, EXTEND = _SCRIPTS["reserve"], _SCRIPTS["settle"], _SCRIPTS["extend"]
EXPIRE, USAGE, ADJUST = _SCRIPTS["expire"], _SCRIPTS["usage"], _SCRIPTS["adjust"]
