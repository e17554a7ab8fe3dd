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
	"github.com/genops-ai/genops/collector/internal/policy"
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

// payers resolves for whom the calls of one batch are, and of one resource of it.
type payers struct {
	p        *policyProcessor
	caller   attribution.Caller
	under    attribution.Attribution
	asked    bool
	resolved bool
}

func (s *payers) of(ctx context.Context, resource, attributes pcommon.Map) attribution.Attribution {
	if !s.asked {
		s.caller, s.asked = s.p.resolver.Caller(ctx), true
	}
	if !s.resolved {
		s.under, s.resolved = s.p.resolver.Under(resource, &s.caller), true
	}
	return s.p.resolver.Span(s.under, attributes, &s.caller)
}

var calls = sync.Pool{New: func() any { return &call{} }}

func (p *policyProcessor) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	inForce, removed := p.inForce.Load(), false
	who := payers{p: p}
	for _, resource := range td.ResourceSpans().All() {
		who.resolved = false
		for _, scope := range resource.ScopeSpans().All() {
			var dropped []int
			for i, span := range scope.Spans().All() {
				attributes := span.Attributes()
				if genai.Type(attributes) == "" {
					continue
				}
				given := told{scope.Scope().Name(), attributes, span.StartTimestamp(), span.EndTimestamp(), span, true}
				if p.decide(ctx, &given, resource.Resource().Attributes(), &who, inForce) {
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
	inForce, removed := p.inForce.Load(), false
	who := payers{p: p}
	for _, resource := range ld.ResourceLogs().All() {
		who.resolved = false
		for _, scope := range resource.ScopeLogs().All() {
			var dropped []int
			for i, record := range scope.LogRecords().All() {
				attributes := record.Attributes()
				if genai.Type(attributes) == "" {
					continue
				}
				given := told{scope: scope.Scope().Name(), attributes: attributes, at: record.Timestamp()}
				if p.decide(ctx, &given, resource.Resource().Attributes(), &who, inForce) {
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
func (p *policyProcessor) decide(ctx context.Context, given *told, resource pcommon.Map, who *payers, inForce *policies) (dropped bool) {
	defer p.fault(ctx)
	_, decided := given.attributes.Get(semconv.GenopsPolicyResult)
	_, identified := given.attributes.Get(semconv.GenopsCallID)
	role := textOf(given.attributes, semconv.GenopsCostRole)
	if decided || (identified && role != "account") {
		p.telemetry.GenopsPolicyDecisions.Add(ctx, 1, counted[settled])
		return false
	}
	if role == "aggregate" { // of calls that are decided one by one
		return false
	}
	asked := calls.Get().(*call)
	defer func() {
		*asked = call{buffer: asked.buffer}
		calls.Put(asked)
	}()
	asked.attributes = given.attributes
	asked.told, _ = genai.Read(given.scope, given.attributes)
	asked.who = who.of(ctx, resource, given.attributes)
	asked.at = time.Now()
	if given.at != 0 {
		asked.at = given.at.AsTime()
	}
	decision := inForce.of(asked.who[p.tenantBy]).kindOf(asked).decide(asked)
	if role != "mirror" { // another span of the same call is decided; what is done with that is done with this
		p.count(ctx, decision)
		given.stamp(decision)
	}
	return p.handle(ctx, given.attributes, decision)
}

func textOf(attributes pcommon.Map, name string) string {
	if value, ok := attributes.Get(name); ok {
		return value.Str()
	}
	return ""
}

// handle does with a span or record what the configuration says; true if that is to drop it.
func (p *policyProcessor) handle(ctx context.Context, attributes pcommon.Map, decision *policy.Decision) bool {
	result := decision.Result()
	switch p.config.Handling[result] {
	case quarantine:
		attributes.PutStr(semconv.GenopsPolicyRoute, quarantine)
		p.telemetry.GenopsPolicyQuarantined.Add(ctx, 1, counted[result])
	case drop:
		p.telemetry.GenopsPolicyDropped.Add(ctx, 1, counted[result])
		return true
	}
	return false
}
