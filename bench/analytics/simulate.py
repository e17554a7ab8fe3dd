"""Check the arithmetic of docs/guides/scale.md at a small scale, on ClickHouse's own engine.

    python bench/analytics/simulate.py              # 200,000 calls: a minute
    python bench/analytics/simulate.py 2000000

Ships a synthetic ledger twice, as a network that breaks would have it, then measures what a row takes on disk and how
fast rows go in and come out, and scales that to 1,000,000,000 calls a day. Needs chdb: see [dependency-groups] analytics.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import ledgers
from chdb import session

from genops.analytics import Replica
from genops.analytics.clickhouse.client import statements_of
from genops.analytics.dialects import CLICKHOUSE
from genops.analytics.filters import Filters
from genops.analytics.registry import find_query
from genops.analytics.rows import RowMaker
from genops.analytics.statements import render
from genops.stores.arrivals import arrivals

PER_DAY, PEAK, COPIES = 1_000_000_000, 5, 2
BATCH = 50_000


def main(rows):
    directory = Path(tempfile.gettempdir()) / f"genops-bench-ledger-{rows}"
    if not (directory / "complete").exists():
        shutil.rmtree(directory, ignore_errors=True)
        ledgers.make(rows, directory)
        (directory / "complete").touch()
    engine, maker = session.Session(tempfile.mkdtemp()), RowMaker()
    for statement in statements_of("0001_ledger.sql"):
        engine.query(statement)
    made_s = into_s = 0.0
    with arrivals(directory) as found, tempfile.TemporaryDirectory() as folder:
        after = 0
        while lines := found.calls(after, BATCH):
            began = time.perf_counter()
            table = maker.arrow("calls", lines)
            write(table, f"{folder}/batch.arrow")
            made_s += time.perf_counter() - began
            for attempt in range(2):  # the second time is what a retry sends: it must add nothing
                began = time.perf_counter()
                settings = f"insert_deduplication_token = '{after}', max_partitions_per_insert_block = 0"
                engine.query(
                    f"INSERT INTO calls ({', '.join(table.column_names)}) SELECT * FROM file('{folder}/batch.arrow', 'Arrow') SETTINGS {settings}"
                )
                into_s += 0 if attempt else time.perf_counter() - began
            after = lines[-1][0]
    stored, size = ask(
        engine, "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'calls'"
    )
    replica = Replica(directory)
    replica.advance()
    (here,) = replica.query("totals")
    there = ask(engine, "SELECT count(*), sum(cost) FROM calls FINAL")
    assert rows == stored == there[0], (rows, stored, there)
    assert here["cost"] == there[1]
    statement = render("spend_by", CLICKHOUSE, Filters(), find_query("spend_by").checked({"by": ("team", "model")}))
    began = time.perf_counter()
    engine.query(statement.sql)
    out_s = time.perf_counter() - began

    per_row, mean = float(size) / rows, PER_DAY / 86_400
    print(f"{rows:,} rows, each sent twice: {stored:,} stored, {there[1]} USD on both sides")
    print(
        f"a row takes {per_row:.0f} bytes; the ledger's own lines are made at {rows / made_s:,.0f} rows/s, stored at {rows / into_s:,.0f} rows/s, added up at {rows / out_s:,.0f} rows/s"
    )
    print(f"1e9 calls a day: {mean:,.0f}/s, {PEAK * mean:,.0f}/s at the peak")
    print(
        f"  disk          {PER_DAY * per_row / 1e9:,.0f} GB a day, {PER_DAY * per_row * 395 * COPIES / 1e12:,.0f} TB for 13 months in {COPIES} copies"
    )
    print(f"  inserts       {PEAK * mean / BATCH:,.1f} batches of {BATCH:,} a second at the peak")
    print(
        f"  cores         {PEAK * mean / (rows / into_s):,.1f} of this machine's pace to store the peak, {PER_DAY / (rows / out_s) / 60:,.0f} minutes to add up one day"
    )


def write(table, path):
    import pyarrow.ipc as ipc

    with ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def ask(engine, sql):
    import json
    from decimal import Decimal

    values = json.loads(str(engine.query(sql, "JSONCompactStrings")))["data"][0]
    return int(values[0]), Decimal(values[1])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
