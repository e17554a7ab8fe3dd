package ledgerconnector

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/genops-ai/genops/collector/connector/ledgerconnector/internal/metadata"
	"github.com/genops-ai/genops/collector/internal/names"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// toLogs writes one genops.usage.recorded for each settled call, and one genops.policy.violation for each that breaks rules.
type toLogs struct {
	component.StartFunc
	reading
	next      consumer.Logs
	telemetry *metadata.TelemetryBuilder
	version   string

	usage, violations bool // which records are written
}

func (l *toLogs) Shutdown(context.Context) error {
	l.telemetry.Shutdown()
	return nil
}

// ConsumeTraces fails only if the pipeline behind refuses the records: then the sender sends the spans again, and the
// records have the same call ids.
func (l *toLogs) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	made := plog.NewLogs()
	count := int64(0)
	for _, resource := range td.ResourceSpans().All() {
		records := lazyRecords{from: resource.Resource(), made: made, version: l.version}
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				settled := l.usage && settled(span.Attributes())
				violates := l.violations && violates(span.Attributes())
				if !settled && !violates {
					continue
				}
				found := newCall(span, scope.Scope().Name(), resource.Resource().Attributes())
				if settled {
					found.write(records.append())
					count++
				}
				if violates {
					found.writeViolation(records.append())
				}
			}
		}
	}
	if made.LogRecordCount() == 0 {
		return nil
	}
	l.telemetry.GenopsLedgerCalls.Add(ctx, count)
	return l.next.ConsumeLogs(ctx, made)
}

// lazyRecords are the records of one resource, which is copied with the first of them.
type lazyRecords struct {
	from    pcommon.Resource
	made    plog.Logs
	version string
	records plog.LogRecordSlice
	begun   bool
}

func (l *lazyRecords) append() plog.LogRecord {
	if !l.begun {
		l.begun = true
		logs := l.made.ResourceLogs().AppendEmpty()
		l.from.CopyTo(logs.Resource())
		scope := logs.ScopeLogs().AppendEmpty()
		scope.Scope().SetName("genops")
		scope.Scope().SetVersion(l.version)
		l.records = scope.LogRecords()
	}
	return l.records.AppendEmpty()
}

// Attributes of the span that are fields of the entry as they are; besides, quantities and tags.
var taken = func() *names.Table[struct{}] {
	found := map[string]struct{}{}
	for _, name := range semconv.LedgerAttributes {
		found[name] = struct{}{}
	}
	return names.New(found)
}()

const ours = "genops."

func isTaken(name string) bool {
	return taken.Get(names.KeyOf(name), name) != nil || strings.HasPrefix(name, ours) &&
		(strings.HasPrefix(name, semconv.GenopsUsageQuantity+".") || strings.HasPrefix(name, semconv.GenopsTag+"."))
}

const mostAdded = 10 // to what the span has, on most records

// write makes the record of a call. Source: spec/registry/events.yaml, genops.usage.recorded.
func (c *call) write(record plog.LogRecord) {
	record.SetEventName(semconv.EventUsageRecorded)
	record.SetTimestamp(c.span.EndTimestamp())
	record.SetObservedTimestamp(c.span.EndTimestamp())
	record.SetSeverityNumber(plog.SeverityNumberInfo)
	record.SetTraceID(c.span.TraceID())
	record.SetSpanID(c.span.SpanID())
	attributes := record.Attributes()
	attributes.EnsureCapacity(c.attributes.Len() + mostAdded)
	for name, value := range c.attributes.All() {
		if isTaken(name) {
			value.CopyTo(attributes.PutEmpty(name))
		}
	}
	told := c.told()
	for _, each := range [...]struct{ name, value string }{
		{semconv.GenAIProviderName, c.provider()}, {semconv.GenAIRequestModel, c.model()},
		{semconv.GenAIResponseModel, told.ResponseModel}, {semconv.GenAIResponseID, told.ResponseID},
		{semconv.ServerAddress, told.ServerAddress}, {semconv.GenopsServiceTier, told.ServiceTier},
		{semconv.GenopsRegion, told.Region}, {semconv.GenAIOperationName, c.operation()},
		{semconv.GenopsOperationType, firstOf(told.Type, "inference")}, {semconv.GenopsCallAPI, "span"},
		{semconv.GenopsCallOutcome, c.outcome()}, {semconv.GenopsPolicyResult, "ALLOWED"},
		{semconv.GenopsTeam, c.text(semconv.GenopsTeam)}, {semconv.GenopsProject, c.text(semconv.GenopsProject)},
		{semconv.GenopsEnvironment, c.text(semconv.GenopsEnvironment)}, {semconv.GenopsUsageSource, "reported"},
	} {
		if _, stated := attributes.Get(each.name); !stated && each.value != "" {
			attributes.PutStr(each.name, each.value)
		}
	}
	attributes.PutStr(semconv.GenopsLedgerStartedAt, c.span.StartTimestamp().AsTime().Format(time.RFC3339Nano))
	attributes.PutDouble(semconv.GenopsLedgerDurationMs, float64(c.duration())/float64(time.Millisecond))
	cost, known := c.cost()
	text := ""
	if known {
		text = cost.String()
		attributes.PutStr(semconv.GenopsLedgerCost, text)
	}
	if list, ok := c.listCost(cost, known); ok {
		if !known || list != cost {
			text = list.String()
		}
		attributes.PutStr(semconv.GenopsLedgerListCost, text)
	}
}
