package policyprocessor

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/genai"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// told is one span or record that tells of a call; events is where a span's events go.
type told struct {
	scope      string
	attributes pcommon.Map
	at, ended  pcommon.Timestamp
	span       ptrace.Span
	isSpan     bool
}

// turn is what one batch needs: for whom its calls are, by resource, and what was decided about them.
type turn struct {
	p        *policyProcessor
	inForce  *policies
	caller   attribution.Caller
	under    attribution.Attribution
	asked    bool
	resolved bool
	call     *call // the one at hand; nil before the first
	counts   counts
}

var calls = sync.Pool{New: func() any { return &call{} }}

func (t *turn) done(ctx context.Context) {
	if t.call != nil {
		t.call.clear()
		calls.Put(t.call)
		t.p.report(ctx, &t.counts)
	}
}

// payer is for whom the call at hand was made.
func (t *turn) payer(ctx context.Context, resource pcommon.Map) attribution.Attribution {
	if !t.asked {
		t.caller, t.asked = t.p.resolver.Caller(ctx), true
	}
	if !t.resolved {
		t.under, t.resolved = t.p.resolver.Under(resource, &t.caller), true
	}
	return t.p.resolver.Lay(t.under, &t.call.stated, &t.caller)
}

func (p *policyProcessor) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	removed, turn := false, turn{p: p, inForce: p.inForce.Load()}
	defer turn.done(ctx)
	for _, resource := range td.ResourceSpans().All() {
		turn.resolved = false
		for _, scope := range resource.ScopeSpans().All() {
			var dropped []int
			for i, span := range scope.Spans().All() {
				attributes := span.Attributes()
				if genai.Type(attributes) == "" {
					continue
				}
				given := told{scope.Scope().Name(), attributes, span.StartTimestamp(), span.EndTimestamp(), span, true}
				if turn.decide(ctx, &given, resource.Resource().Attributes()) {
					dropped = append(dropped, i)
				}
			}
			if len(dropped) > 0 {
				removed = true
				i := -1
				scope.Spans().RemoveIf(func(ptrace.Span) bool { i++; return slices.Contains(dropped, i) })
			}
		}
	}
	if !removed {
		return td, nil
	}
	td.ResourceSpans().RemoveIf(func(resource ptrace.ResourceSpans) bool {
		resource.ScopeSpans().RemoveIf(func(scope ptrace.ScopeSpans) bool { return scope.Spans().Len() == 0 })
		return resource.ScopeSpans().Len() == 0
	})
	if td.ResourceSpans().Len() == 0 {
		return td, processorhelper.ErrSkipProcessingData
	}
	return td, nil
}

// processLogs decides about events of calls that nobody decided: those of usage, and GenAI events. What an SDK or the
// ledger connector wrote has its decision.
func (p *policyProcessor) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	removed, turn := false, turn{p: p, inForce: p.inForce.Load()}
	defer turn.done(ctx)
	for _, resource := range ld.ResourceLogs().All() {
		turn.resolved = false
		for _, scope := range resource.ScopeLogs().All() {
			var dropped []int
			for i, record := range scope.LogRecords().All() {
				attributes := record.Attributes()
				if genai.Type(attributes) == "" {
					continue
				}
				given := told{scope: scope.Scope().Name(), attributes: attributes, at: record.Timestamp()}
				if turn.decide(ctx, &given, resource.Resource().Attributes()) {
					dropped = append(dropped, i)
				}
			}
			if len(dropped) > 0 {
				removed = true
				i := -1
				scope.LogRecords().RemoveIf(func(plog.LogRecord) bool { i++; return slices.Contains(dropped, i) })
			}
		}
	}
	if !removed {
		return ld, nil
	}
	ld.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool { return scope.LogRecords().Len() == 0 })
		return resource.ScopeLogs().Len() == 0
	})
	if ld.ResourceLogs().Len() == 0 {
		return ld, processorhelper.ErrSkipProcessingData
	}
	return ld, nil
}

// decide decides about one call and writes down what was decided; true if the span or record is to be dropped.
func (t *turn) decide(ctx context.Context, given *told, resource pcommon.Map) (dropped bool) {
	defer t.p.fault(ctx)
	if t.call == nil {
		t.call = calls.Get().(*call)
	}
	asked := t.call
	asked.clear()
	asked.look(given.attributes, t.p.resolver)
	role := asked.text(seenRole)
	if asked.has(seenResult) || (asked.has(seenCallID) && role != "account") {
		t.counts.decisions[slices.Index(outcomes, settled)]++
		return false
	}
	if role == "aggregate" { // of calls that are decided one by one
		return false
	}
	asked.told, _ = asked.reading.Call(given.scope)
	asked.who = t.payer(ctx, resource)
	if given.at != 0 {
		asked.at = given.at.AsTime()
	} else {
		asked.at = time.Now()
	}
	decision := t.inForce.of(asked.who[t.p.tenantBy]).kindOf(asked).decide(asked)
	outcome := slices.Index(outcomes, decision.Result())
	if role != "mirror" { // another span of the same call is decided; what is done with that is done with this
		t.counts.decisions[outcome]++
		t.p.countViolations(ctx, decision)
		given.stamp(decision)
	}
	return t.handle(given.attributes, outcome)
}

// handle does with a span or record what the configuration says of the outcome; true if that is to drop it.
func (t *turn) handle(attributes pcommon.Map, outcome int) bool {
	switch t.p.config.Handling[outcomes[outcome]] {
	case quarantine:
		attributes.PutStr(semconv.GenopsPolicyRoute, quarantine)
		t.counts.quarantined[outcome]++
	case drop:
		t.counts.dropped[outcome]++
		return true
	}
	return false
}
