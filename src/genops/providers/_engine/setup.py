"""Setting up: from settings to a runtime in force and adapters switched on."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from genops.config import settings as config
from genops.config.settings import Settings
from genops.config.watching import FileKillSwitch, WatchedRules
from genops.core import attribution, baggage
from genops.core.budget import Account
from genops.core.budgets.alerts import BudgetAlert
from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.outage import Outage, worst_overspend
from genops.core.errors import ConfigurationError
from genops.core.ledger import LedgerSink
from genops.core.pricing import PriceBook
from genops.core.rates import Rates
from genops.core.rules.ruleset import RuleSet
from genops.core.runtime import Runtime, current_runtime, install_runtime
from genops.core.telemetry import Telemetry
from genops.engines import open_engines
from genops.exporters import otlp
from genops.exporters.webhooks import WebhookAlerts
from genops.providers._engine import foreign, registry
from genops.providers._engine.ending import close_at_end
from genops.providers._engine.registry import AdapterStatus
from genops.stores import open_ledger
from genops.stores.budgets import open_budget_store
from genops.stores.budgets.leases import LeasingStore
from genops.stores.budgets.owed import FileOwedJournal

if TYPE_CHECKING:
    from genops.core.redacting import Redaction

__all__ = ["Status", "auto_instrument", "configure", "status", "uninstrument"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What governs this process right now."""

    configured: bool
    adapters: tuple[AdapterStatus, ...]
    ledger: Path | None
    exporting_to: str | None

    @property
    def instrumented(self) -> tuple[str, ...]:
        """The names of the adapters that are on."""
        return tuple(adapter.name for adapter in self.adapters if adapter.instrumented)


_LAST_ALERTS_S = 2.0  # that the end of a process waits for the receiver of alerts
_ledger_dir: Path | None = None
_exporting_to: str | None = None


def configure(
    config_file: str | Path | None = None,
    *,
    tracer_provider: Any = None,
    meter_provider: Any = None,
    logger_provider: Any = None,
    **settings: Any,
) -> Settings:
    """Put governance in force for this process and return the settings it runs with.

    Settings come from the keyword arguments, `genops.yaml` and `GENOPS_*` variables; docs/reference/configuration.md
    lists them. Providers default to the application's own; if it has none, OpenTelemetry is set up from the standard
    `OTEL_*` variables. Calling again replaces what was in force. Raises `ConfigurationError`.
    """
    global _ledger_dir, _exporting_to  # the process has one runtime
    resource = getattr(tracer_provider or trace.get_tracer_provider(), "resource", None)
    loaded = config.load(settings, config_file=config_file, resource=getattr(resource, "attributes", None))
    logging.getLogger("genops").setLevel(loaded.log_level.upper())
    attribution.set_base(loaded.attribution)
    baggage.enable(loaded.baggage) if loaded.baggage else baggage.disable()
    _exporting_to = None
    redaction = _redaction(loaded)
    if loaded.telemetry.enabled and tracer_provider is None:
        exported = redaction.redact if redaction is not None and loaded.redaction.exports else None
        _exporting_to = otlp.set_up_if_absent(loaded, exported)
    telemetry = Telemetry(
        tracer_provider=tracer_provider,
        meter_provider=meter_provider,
        logger_provider=logger_provider,
        with_metrics=loaded.telemetry.metrics,
        with_logs=loaded.telemetry.logs,
        cardinality_limit=loaded.telemetry.cardinality_limit,
        content=redaction.redact if redaction is not None and loaded.telemetry.content else None,
    )
    if loaded.telemetry.enabled:
        foreign.watch(tracer_provider or trace.get_tracer_provider())
    previous = install_runtime(_runtime(loaded, telemetry, redaction))
    close_at_end()
    _ledger_dir = loaded.ledger.dir if loaded.ledger.enabled else None
    if previous is not None:
        previous.close()
    return loaded


def _runtime(loaded: Settings, telemetry: Telemetry, redaction: Redaction | None) -> Runtime:
    sinks: tuple[LedgerSink, ...] = ()
    if loaded.ledger.enabled:
        ledger = open_ledger(loaded.ledger.dir, retention_days=loaded.ledger.retention_days, fsync=loaded.ledger.fsync)
        sinks = (ledger,)
    return Runtime(
        book=PriceBook.default(Rates.parse(loaded.prices)),
        telemetry=telemetry,
        clock=lambda: datetime.now(UTC),
        policies=loaded.policies,
        policy_rules=_watched(loaded, redaction) if loaded.policy.files else None,
        policy_engines=open_engines(loaded.policy.engines, loaded.policy.base),
        redactor=redaction,
        kill_switch=FileKillSwitch(loaded.policy.kill_switch, loaded.policy.stop),
        rules=loaded.rules,
        sinks=sinks,
        account=_account(loaded, telemetry),
    )


def _redaction(loaded: Settings) -> Redaction | None:
    """The redaction of the settings; None if nothing asks for one. Content is never exported without it."""
    needed = loaded.redaction.stated or loaded.telemetry.content
    if not needed and loaded.policy.files:
        needed = loaded.policy.load()[0].redacts
    return loaded.redaction.open() if needed else None


def _watched(loaded: Settings, redaction: Redaction | None) -> WatchedRules:
    """The policy files, in force from now on. Rules that redact need a redaction, also when they come later."""

    def load() -> tuple[RuleSet, tuple[Path, ...]]:
        rules, files = loaded.policy.load()
        if rules.redacts and redaction is None:
            raise ConfigurationError(
                "a rule redacts, and this process was started without redaction.",
                fix="redaction: {requests: []} in genops.yaml, and start it again",
            )
        for rule in rules.rules:
            if redaction is not None and rule.actions is not None:
                redaction.check(rule.actions.redact)
        return rules, files

    return WatchedRules(load)


def _account(loaded: Settings, telemetry: Telemetry) -> Account | None:
    """The budgets of the settings, in their store; the worst overspend of leased slices is said once, here."""
    found = loaded.budgets
    if not found.budgets:
        return None
    directory = loaded.ledger.dir
    url = found.store or f"sqlite:{directory}/budgets.db"
    store = open_budget_store(url, namespace=found.namespace)
    if any(budget.slice is not None for budget in found.budgets):
        store = LeasingStore(store)
        for unit, amount in worst_overspend(found.budgets).items():
            _log.warning("if the budget store fails, each process may overspend its slices: %s %s in all", amount, unit)
    webhook = WebhookAlerts(found.webhook) if found.webhook is not None else None

    def alert(given: BudgetAlert) -> None:
        telemetry.budget_alert(given)
        if webhook is not None:
            webhook(given)

    outage = Outage(journal=FileOwedJournal(directory))
    at_end = partial(webhook.close, _LAST_ALERTS_S) if webhook is not None else None
    return Account(BudgetEngine(found.budgets, store, alert=alert, outage=outage), at_end=at_end)


def auto_instrument(
    config_file: str | Path | None = None, *, adapters: Iterable[str] | None = None, **settings: Any
) -> Status:
    """Govern every supported SDK that is installed, without another change to the application.

    `adapters` limits it to those named, and then raises `NotInstalled` for what is missing. Other arguments are those
    of `configure`. Calling twice is calling once.
    """
    loaded = configure(config_file, **settings)
    if not loaded.enabled:
        _log.info("genops is switched off (enabled: false); no call is governed")
        uninstrument()
        return status()
    chosen = adapters if adapters is not None else loaded.adapters.enabled
    names = registry.instrument_found(chosen, loaded.adapters.disabled)
    _log.info("genops governs %s", ", ".join(names) or "nothing yet: no supported SDK is installed")
    return status()


def uninstrument() -> None:
    """Restore every vendor method, flush the ledger and stop governing."""
    registry.uninstrument()
    previous = install_runtime(None)
    if previous is not None:
        previous.close()


def status() -> Status:
    """Return what is installed, switched on, and where entries and telemetry go."""
    return Status(
        configured=current_runtime() is not None,
        adapters=tuple(registry.statuses()),
        ledger=_ledger_dir,
        exporting_to=_exporting_to,
    )
