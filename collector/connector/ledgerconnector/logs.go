package ledgerconnector

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/genops-ai/genops/collector/connector/ledgerconnector/internal/metadata"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// toLogs writes one genops.usage.recorded for each settled call.
type toLogs struct {
	component.StartFunc
	reading
	next      consumer.Logs
	telemetry *metadata.TelemetryBuilder
	version   string
}

func (l *toLogs) Shutdown(context.Context) error {
	l.telemetry.Shutdown()
	return nil
}

// ConsumeTraces fails only if the pipeline behind refuses the records: then the sender sends the spans again, and the
// records have the same call ids.
func (l *toLogs) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	made := plog.NewLogs()
	for _, resource := range td.ResourceSpans().All() {
		var into plog.LogRecordSlice
		begun := false
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if !settled(span.Attributes()) {
					continue
				}
				if !begun {
					begun = true
					logs := made.ResourceLogs().AppendEmpty()
					resource.Resource().CopyTo(logs.Resource())
					records := logs.ScopeLogs().AppendEmpty()
					records.Scope().SetName("genops")
					records.Scope().SetVersion(l.version)
					into = records.LogRecords()
				}
				found := newCall(span, scope.Scope().Name(), resource.Resource().Attributes())
				found.write(into.AppendEmpty())
			}
		}
	}
	count := made.LogRecordCount()
	if count == 0 {
		return nil
	}
	l.telemetry.GenopsLedgerCalls.Add(ctx, int64(count))
	return l.next.ConsumeLogs(ctx, made)
}

// Attributes of the span that are fields of the entry as they are.
var taken = func() map[string]bool {
	found := map[string]bool{}
	for _, name := range semconv.LedgerAttributes {
		found[name] = true
	}
	return found
}()

// write makes the record of a call. Source: spec/registry/events.yaml, genops.usage.recorded.
func (c *call) write(record plog.LogRecord) {
	record.SetEventName(semconv.EventUsageRecorded)
	record.SetTimestamp(c.span.EndTimestamp())
	record.SetObservedTimestamp(c.span.EndTimestamp())
	record.SetSeverityNumber(plog.SeverityNumberInfo)
	record.SetTraceID(c.span.TraceID())
	record.SetSpanID(c.span.SpanID())
	attributes := record.Attributes()
	attributes.EnsureCapacity(len(taken))
	for name, value := range c.attributes.All() {
		if taken[name] || strings.HasPrefix(name, semconv.GenopsUsageQuantity+".") || strings.HasPrefix(name, semconv.GenopsTag+".") {
			value.CopyTo(attributes.PutEmpty(name))
		}
	}
	for _, each := range [...]struct{ name, value string }{
		{semconv.GenAIProviderName, c.provider()}, {semconv.GenAIRequestModel, c.model()},
		{semconv.GenAIResponseModel, c.told.ResponseModel}, {semconv.GenAIResponseID, c.told.ResponseID},
		{semconv.ServerAddress, c.told.ServerAddress}, {semconv.GenopsServiceTier, c.told.ServiceTier},
		{semconv.GenopsRegion, c.told.Region}, {semconv.GenAIOperationName, c.operation()},
		{semconv.GenopsOperationType, firstOf(c.told.Type, "inference")}, {semconv.GenopsCallAPI, "span"},
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
	if cost, ok := c.cost(); ok {
		attributes.PutStr(semconv.GenopsLedgerCost, cost.String())
	}
	if cost, ok := c.listCost(); ok {
		attributes.PutStr(semconv.GenopsLedgerListCost, cost.String())
	}
}
