package costprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/genai"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// told is one span that tells of a call.
type told struct {
	span      ptrace.Span
	under     int // the place of its resource's attribution
	call      genai.Call
	framework bool
	ours      bool // an SDK of GenOps booked it
	above     bool // a call inside it is accounted for
	noted     bool // the guard knows it; then first is what the guard said
	first     bool
}

// work is what one batch needs; used again by the next one.
type work struct {
	told    []told
	unders  []attribution.Attribution
	parents map[pcommon.SpanID]pcommon.SpanID
}

var works = sync.Pool{New: func() any { return &work{parents: map[pcommon.SpanID]pcommon.SpanID{}} }}

func (p *costProcessor) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	found := works.Get().(*work)
	defer func() {
		clear(found.told)
		clear(found.unders)
		found.told, found.unders = found.told[:0], found.unders[:0]
		clear(found.parents)
		works.Put(found)
	}()
	p.collect(ctx, td, found)
	if len(found.told) == 0 {
		return td, nil
	}
	found.index(td)
	p.note(found)
	caller := p.resolver.Caller(ctx)
	for i := range found.told {
		p.settle(ctx, &found.told[i], found, &caller)
	}
	return td, nil
}

// collect finds the spans that tell of calls, and notes what is above the calls of earlier batches.
func (p *costProcessor) collect(ctx context.Context, td ptrace.Traces, into *work) {
	caller := p.resolver.Caller(ctx)
	for _, resource := range td.ResourceSpans().All() {
		under := -1
		for _, scope := range resource.ScopeSpans().All() {
			name := scope.Scope().Name()
			for _, span := range scope.Spans().All() {
				if genai.Type(span.Attributes()) == "" {
					continue
				}
				if under < 0 {
					under = len(into.unders)
					into.unders = append(into.unders, p.resolver.Under(resource.Resource().Attributes(), &caller))
				}
				p.take(ctx, into, name, under, span)
			}
		}
	}
}

func (p *costProcessor) take(ctx context.Context, into *work, scope string, under int, span ptrace.Span) {
	defer p.fault(ctx)
	attributes := span.Attributes()
	_, priced := attributes.Get(semconv.GenopsCostTotal)
	_, identified := attributes.Get(semconv.GenopsCallID)
	if identified && !priced && role(attributes) != "account" {
		p.count(ctx, mirror) // of a call that an SDK of GenOps booked on another span
		return
	}
	call, _ := genai.Read(scope, attributes)
	into.told = append(into.told, told{
		span: span, under: under, call: call, framework: genai.IsFramework(scope), ours: identified || priced,
	})
}

func role(attributes pcommon.Map) string {
	if value, ok := attributes.Get(semconv.GenopsCostRole); ok {
		return value.Str()
	}
	return ""
}

// index notes who is whose parent, to find what is above a call.
func (w *work) index(td ptrace.Traces) {
	for _, resource := range td.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if parent := span.ParentSpanID(); !parent.IsEmpty() {
					w.parents[span.SpanID()] = parent
				}
			}
		}
	}
}

func (t *told) accountable() bool {
	return t.ours || ((t.call.Tokens.Stated || t.call.Malformed != "") && t.call.Provider != "")
}

// note tells the guard of all calls of a batch before any is settled: what is above them, those that an SDK of GenOps
// booked, then the innermost span of each other one. So the order of the spans in the batch does not matter.
func (p *costProcessor) note(batch *work) {
	for i := range batch.told {
		t := &batch.told[i]
		if t.accountable() || p.guard.isAbove(t.span.TraceID(), t.span.SpanID()) {
			p.guard.accounted(t.span.TraceID(), t.span.ParentSpanID(), batch.parents)
		}
	}
	for _, ours := range [...]bool{true, false} {
		for i := range batch.told {
			t := &batch.told[i]
			if t.ours != ours {
				continue
			}
			t.above = p.guard.isAbove(t.span.TraceID(), t.span.SpanID())
			if t.noted = ours || (!t.framework && t.accountable() && !t.above); t.noted {
				t.first = p.guard.first(t.span.TraceID(), t.seen())
			}
		}
	}
}

func (t *told) seen() seenCall {
	model := t.call.RequestModel
	if model == "" {
		model = t.call.ResponseModel
	}
	return seenCall{t.span.SpanID(), t.call.ResponseID, model, t.span.StartTimestamp()}
}

func (p *costProcessor) settle(ctx context.Context, t *told, batch *work, caller *attribution.Caller) {
	defer p.fault(ctx)
	attributes, trace := t.span.Attributes(), t.span.TraceID()
	if t.ours {
		p.count(ctx, settled)
		return
	}
	if t.above {
		attributes.PutStr(semconv.GenopsCostRole, "aggregate")
		p.count(ctx, mirror)
		return
	}
	if !t.accountable() {
		return
	}
	if !t.noted {
		t.first = !(t.framework && p.guard.booked(trace, t.seen())) && p.guard.first(trace, t.seen())
	}
	if !t.first {
		attributes.PutStr(semconv.GenopsCostRole, mirror)
		p.count(ctx, mirror)
		return
	}
	who := p.resolver.Span(batch.unders[t.under], attributes, caller)
	status := p.stamp(attributes, &t.call, who, origin{
		id: callID(trace, t.span.SpanID()), at: t.span.StartTimestamp(),
	})
	p.count(ctx, status)
}
