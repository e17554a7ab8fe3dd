"""One process of many that spend from one budget; run as a program by the tests and the benchmark.

python workers.py STORE NAMESPACE NAME CALLS HOLD_S: reserves 0.01 USD for each call, waits a little, settles a part of
it, and prints what it settled. It says `ready` before the first call and `mid-call` once it holds a reservation.
"""

from __future__ import annotations

import random
import sys
import time
from decimal import Decimal

from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.model import Budget
from genops.core.budgets.plans import BudgetCall
from genops.core.budgets.windows import Window, WindowKind
from genops.stores.budgets import open_budget_store

ONE_DOLLAR = Budget(name="shared", limit=Decimal(1), window=Window(kind=WindowKind.TOTAL))
ESTIMATE = Decimal("0.01")
EXPIRES_AFTER_S = 4.0


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main(store: str, namespace: str, name: str, calls: str, hold_s: str) -> None:
    engine = BudgetEngine(
        [ONE_DOLLAR],
        open_budget_store(store, namespace=namespace, timeout_s=30.0),
        expires_after_s=60.0 if float(hold_s) == 0 else EXPIRES_AFTER_S,
    )
    draw = random.Random(name)
    settled, granted = Decimal(0), 0
    say("ready")
    sys.stdin.readline()
    for number in range(int(calls)):
        admission = engine.reserve(f"{name}-{number}", BudgetCall({}, cost=ESTIMATE))
        if admission.reservation is None:
            continue
        if float(hold_s) >= 1 and number == 2:
            say("mid-call")
            time.sleep(float(hold_s))
        actual = ESTIMATE * draw.randint(50, 100) / 100
        engine.settle(admission.reservation, {"USD": actual})
        settled += actual
        granted += 1
    say(f"settled {settled} {granted}")


if __name__ == "__main__":
    main(*sys.argv[1:])
