"""The runtime: what governs the calls of this process, put together once by `genops.configure()`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from genops.core.attribution import AttributionRules
from genops.core.budget import Account
from genops.core.budgets.forks import new_lock
from genops.core.cost import Cost, Unpriced
from genops.core.decision import Violation
from genops.core.killswitch import KillSwitch
from genops.core.learning import Habits
from genops.core.ledger import LedgerSink
from genops.core.plan import Plans
from genops.core.policy import PolicySet
from genops.core.rules.ruleset import RuleSet
from genops.core.searches import NONE, Searches
from genops.core.usage import Usage

if TYPE_CHECKING:
    from genops.core.pricing import PriceQuery
    from genops.core.telemetry import Telemetry

__all__ = [
    "Pricer",
    "RedactedRequest",
    "RequestRedactor",
    "RuleSource",
    "Runtime",
    "current_runtime",
    "install_runtime",
]

_SEEN_LIMIT = 10_000  # response ids remembered; about 2 MB


class Pricer(Protocol):
    """Turns usage into money; the price book is one."""

    def price(self, usage: Usage, query: PriceQuery, *, lines: bool = True) -> Cost | Unpriced: ...

    def bound(
        self,
        query: PriceQuery,
        input_tokens: int,
        output_tokens: int,
        cached: str | None = None,
        searches: Searches = NONE,
    ) -> Decimal | None: ...


class SeenResponses:
    """The responses booked lately, so that one response that passes two instrumented layers is booked once."""

    def __init__(self, limit: int = _SEEN_LIMIT) -> None:
        self._limit = limit
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = new_lock()

    def first(self, provider: str, response_id: str) -> bool:
        """Return True the first time a response is shown, False after that."""
        key = (provider, response_id)
        with self._lock:
            if key in self._seen:
                return False
            self._seen[key] = None
            if len(self._seen) > self._limit:
                self._seen.popitem(last=False)
            return True


class RuleSource(Protocol):
    """Where the rules of the policy files come from. Asked before every call, so it must answer from memory."""

    def current(self, now_ns: int) -> RuleSet: ...


class RedactedRequest(Protocol):
    """A request after redaction: the arguments that change, what was found, and what must not be sent at all.

    `vault` knows what the tokens in the request stand for; None if there are none.
    """

    @property
    def changes(self) -> Mapping[str, Any]: ...

    @property
    def counts(self) -> Mapping[str, int]: ...

    @property
    def refused(self) -> Sequence[str]: ...

    @property
    def vault(self) -> Any: ...


class RequestRedactor(Protocol):
    """Finds personal data and secrets in requests and in what is exported, and takes them out.

    `always` is what is taken out of every request, whatever the rules say.
    """

    @property
    def always(self) -> Sequence[str]: ...

    def redact(self, value: Any) -> Any: ...

    def entities(self, request: Mapping[str, Any]) -> list[str]: ...

    def redact_request(self, request: Mapping[str, Any], kinds: Sequence[str]) -> RedactedRequest: ...


@dataclass(slots=True, kw_only=True)
class Runtime:
    """Everything a governed call needs. `sinks` get every ledger entry, in order, before telemetry does."""

    book: Pricer
    telemetry: Telemetry
    clock: Callable[[], datetime]
    policies: PolicySet = field(default_factory=PolicySet)
    rules: AttributionRules = field(default_factory=AttributionRules)
    policy_rules: RuleSource | None = None  # None: there are no policy files
    policy_engines: tuple[Callable[[Mapping[str, Any]], Iterable[Violation]], ...] = ()
    kill_switch: KillSwitch | None = None
    redactor: RequestRedactor | None = None
    account: Account | None = None  # None: no budget is configured
    sinks: tuple[LedgerSink, ...] = ()
    seen: SeenResponses = field(default_factory=SeenResponses)
    plans: Plans = field(default_factory=Plans)
    habits: Habits = field(default_factory=Habits)
    default_output_bound: int = 4096  # tokens reserved when a request states no limit of its own

    @property
    def may_change_requests(self) -> bool:
        """Whether a request may be sent otherwise than the application wrote it."""
        return self.account is not None or self.policy_rules is not None

    def close(self) -> None:
        """Flush and close what keeps entries and budgets; the runtime must not be used afterwards."""
        if self.account is not None:
            self.account.close()
        for held in (*self.sinks, *self.policy_engines):
            close = getattr(held, "close", None)
            if close is not None:
                close()


_current: Runtime | None = None


def current_runtime() -> Runtime | None:
    """The runtime in force, or None before `genops.configure()` and after `genops.uninstrument()`."""
    return _current


def install_runtime(runtime: Runtime | None) -> Runtime | None:
    """Put `runtime` in force and return the one it replaces."""
    global _current  # the process has one runtime
    previous, _current = _current, runtime
    return previous
