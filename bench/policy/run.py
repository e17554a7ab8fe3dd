"""What governance of one call costs in process: decision, reservation, settlement. p50 and p99 in microseconds.

python bench/policy/run.py [--calls 20000]

Twenty rules in CEL (8 that need the call itself, 8 that depend on the kind of call alone, 4 of other teams), four budgets
(org, team, project, customer) in memory. The spans, the ledger and the estimate are left out: bench/overhead has the whole
call.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from decimal import Decimal

import genops
from genops.config.policies import parse_policy
from genops.core import deciding
from genops.core.attribution import current
from genops.core.budgets.model import Budget
from genops.core.frame import CallFacts, Frame
from genops.core.rules.ruleset import RuleSet
from genops.core.runtime import current_runtime
from genops.testing.capture import capture

RULES = "rules:\n" + "".join(
    [
        *(
            f"  - {{name: call-{n}, condition: 'has_estimated_cost && estimated_cost > {10 + n}.0 || max_output_tokens > {90_000 + n}'}}\n"
            for n in range(8)
        ),
        *(f'  - {{name: kind-{n}, condition: \'model == "o{n}" && team != "research"\'}}\n' for n in range(8)),
        *(f"  - {{name: other-{n}, match: {{team: team-{n}}}, condition: 'input_tokens > 5'}}\n" for n in range(4)),
    ]
)
REQUEST = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 100}
FACTS = CallFacts(
    provider="openai",
    api="chat",
    operation="chat",
    operation_type="inference",
    operation_name="openai.chat",
    request_model="gpt-4o-mini",
)


def budgets() -> list[Budget]:
    groups = {"org": (), "team": ("team",), "project": ("project",), "customer": ("customer_id",)}
    return [Budget(name=name, limit=Decimal(1_000_000), group_by=group) for name, group in groups.items()]


def measure(calls: int) -> dict[str, dict[str, float]]:
    times: dict[str, list[int]] = {"decide": [], "reserve": [], "settle": [], "together": []}
    with capture(policy_rules=RuleSet(parse_policy(RULES).rules), budgets=budgets()):
        with genops.attribution(team="search", project="shop", environment="production", customer_id="acme"):
            runtime, attribution = current_runtime(), current({})
            for number in range(calls + 500):
                frame = Frame(runtime, runtime.plans.of(FACTS, attribution), REQUEST)
                frame._estimate()
                began = time.perf_counter_ns()
                decision = deciding.decide(frame, frame.upper_bound)
                decided = time.perf_counter_ns()
                grant = runtime.account.reserve(frame.call_id, frame._budget_call(runtime.account), decision)
                reserved = time.perf_counter_ns()
                runtime.account.settle(grant.reservation, {"USD": Decimal("0.00001")})
                settled = time.perf_counter_ns()
                if number >= 500:
                    steps = (decided - began, reserved - decided, settled - reserved, settled - began)
                    for name, taken in zip(times, steps, strict=True):
                        times[name].append(taken)
    return {name: summary(each) for name, each in times.items()}


def summary(times: list[int]) -> dict[str, float]:
    times.sort()
    return {"p50_us": round(times[len(times) // 2] / 1e3, 1), "p99_us": round(times[len(times) * 99 // 100] / 1e3, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    print(json.dumps({"python": platform.python_version(), "rows": measure(parser.parse_args().calls)}, indent=2))


if __name__ == "__main__":
    main()
