package costprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/genai"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// processLogs marks events of calls: as told by their spans, or priced where the configuration says that no spans come.
func (p *costProcessor) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	caller := p.resolver.Caller(ctx)
	for _, resource := range ld.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			name := scope.Scope().Name()
			for _, record := range scope.LogRecords().All() {
				if genai.Type(record.Attributes()) != "" {
					p.settleRecord(ctx, name, resource.Resource().Attributes(), record, &caller)
				}
			}
		}
	}
	return ld, nil
}

func (p *costProcessor) settleRecord(
	ctx context.Context, scope string, resource pcommon.Map, record plog.LogRecord, caller *attribution.Caller,
) {
	defer p.fault(ctx)
	attributes := record.Attributes()
	if _, ours := attributes.Get(semconv.GenopsCallID); ours {
		p.count(ctx, settled)
		return
	}
	call, _ := genai.Read(scope, attributes)
	if call.Provider == "" || (!call.Tokens.Stated && call.Malformed == "") {
		return
	}
	seen := seenCall{record.SpanID(), call.ResponseID, call.RequestModel, record.Timestamp()}
	if !p.config.Logs.Account || !p.guard.first(record.TraceID(), seen) {
		attributes.PutStr(semconv.GenopsCostRole, mirror)
		p.count(ctx, mirror)
		return
	}
	who := p.resolver.Span(p.resolver.Under(resource, caller), attributes, caller)
	p.count(ctx, p.stamp(attributes, &call, who, origin{callID(record.TraceID(), record.SpanID()), record.Timestamp()}))
}

// processMetrics says for whom metrics are, on their resource. Token metrics have neither the size of a request nor
// what was cached, so a price of theirs would be a guess; the ledger connector makes cost metrics out of calls.
func (p *costProcessor) processMetrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	defer p.fault(ctx)
	caller := p.resolver.Caller(ctx)
	for _, resource := range md.ResourceMetrics().All() {
		attributes := resource.Resource().Attributes()
		who := p.resolver.Span(p.resolver.Under(attributes, &caller), pcommon.NewMap(), &caller)
		who.Put(attributes)
	}
	return md, nil
}
