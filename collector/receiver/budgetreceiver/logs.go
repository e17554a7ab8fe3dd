package budgetreceiver

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/genops-ai/genops/collector/extension/budgetstate"
	"github.com/genops-ai/genops/collector/internal/budget"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

const (
	attempts = 5 // that a pipeline gets to take an alert
	pause    = 200 * time.Millisecond
)

// logs writes one genops.budget.alert for each threshold that is passed.
type logs struct {
	*telling
	next consumer.Logs
}

func (l *logs) Start(_ context.Context, host component.Host) error {
	return l.run(host, func(ctx context.Context, state budgetstate.State) {
		alerts, done := state.Subscribe()
		defer done()
		for {
			select {
			case alert := <-alerts:
				l.send(ctx, &alert)
			case <-ctx.Done():
				l.drain(alerts)
				return
			}
		}
	})
}

// drain sends what is there when the receiver ends.
func (l *logs) drain(alerts <-chan budget.Alert) {
	for {
		select {
		case alert := <-alerts:
			l.send(context.Background(), &alert)
		default:
			return
		}
	}
}

func (l *logs) send(ctx context.Context, alert *budget.Alert) {
	for attempt := range attempts {
		made := plog.NewLogs()
		scope := made.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
		scope.Scope().SetName("genops")
		scope.Scope().SetVersion(l.version)
		write(scope.LogRecords().AppendEmpty(), alert)
		err := l.next.ConsumeLogs(context.WithoutCancel(ctx), made)
		if err == nil {
			return
		}
		if consumererror.IsPermanent(err) || attempt == attempts-1 {
			break
		}
		select {
		case <-time.After(pause << attempt):
		case <-ctx.Done():
		}
	}
	l.telemetry.GenopsBudgetAlertsRefused.Add(ctx, 1)
}

// write makes the record of an alert. Source: spec/registry/events.yaml, genops.budget.alert.
func write(record plog.LogRecord, alert *budget.Alert) {
	unit := alert.Budget.Unit
	record.SetEventName(semconv.EventBudgetAlert)
	record.SetTimestamp(pcommon.Timestamp(alert.At * 1e9))
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	record.SetSeverityNumber(plog.SeverityNumberWarn)
	if alert.Threshold >= 100 {
		record.SetSeverityNumber(plog.SeverityNumberError)
	}
	record.SetTraceID(alert.Trace)
	record.SetSpanID(alert.Span)
	record.Body().SetStr(fmt.Sprintf("budget '%s' has passed %d %%: %s of %s %s", alert.Budget.Name, alert.Threshold,
		budget.AmountOf(alert.Consumed, unit), budget.AmountOf(alert.Budget.Limit, unit), unit))
	attributes := record.Attributes()
	attributes.PutStr(semconv.GenopsBudgetName, alert.Budget.Name)
	attributes.PutInt(semconv.GenopsBudgetThreshold, int64(alert.Threshold))
	attributes.PutDouble(semconv.GenopsBudgetConsumed, budget.FloatOf(alert.Consumed, unit))
	attributes.PutDouble(semconv.GenopsBudgetAllocated, budget.FloatOf(alert.Budget.Limit, unit))
	attributes.PutStr(semconv.GenopsBudgetPeriod, alert.Period)
	attributes.PutStr(semconv.GenopsAccountingUnit, unit)
	if alert.PerHour >= 0 {
		attributes.PutDouble(semconv.GenopsBudgetBurnRate, alert.PerHour)
	}
	if alert.ExhaustedAt > 0 {
		attributes.PutInt(semconv.GenopsBudgetExhaustedAt, int64(alert.ExhaustedAt*1000))
	}
	putGroup(attributes, alert.Group)
}
