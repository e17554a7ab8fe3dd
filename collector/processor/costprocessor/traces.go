package costprocessor

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/genai"
	"github.com/genops-ai/genops/collector/internal/names"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// told is one span that tells of a call.
type told struct {
	span      ptrace.Span
	call      genai.Call
	who       attribution.Attribution
	framework bool
	ours      bool // an SDK of GenOps booked it
	above     bool // a call inside it is accounted for
	noted     bool // the guard knows it; then first is what the guard said
	first     bool
}

// work is what one batch needs; used again by the next one.
type work struct {
	told    []told
	parents map[pcommon.SpanID]pcommon.SpanID
	caller  attribution.Caller
	under   attribution.Attribution // what holds for the resource at hand
}

var works = sync.Pool{New: func() any { return &work{parents: map[pcommon.SpanID]pcommon.SpanID{}} }}

func (p *costProcessor) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	found := works.Get().(*work)
	defer func() {
		clear(found.told)
		found.told, found.caller, found.under = found.told[:0], attribution.Caller{}, attribution.Attribution{}
		clear(found.parents)
		works.Put(found)
	}()
	p.collect(ctx, td, found)
	if len(found.told) == 0 {
		return td, nil
	}
	found.index(td)
	p.note(found)
	for i := range found.told {
		p.settle(ctx, &found.told[i])
	}
	return td, nil
}

// collect finds the spans that tell of calls, and reads them.
func (p *costProcessor) collect(ctx context.Context, td ptrace.Traces, into *work) {
	begun := false
	for _, resource := range td.ResourceSpans().All() {
		fresh := true
		for _, scope := range resource.ScopeSpans().All() {
			name := scope.Scope().Name()
			for _, span := range scope.Spans().All() {
				if genai.Type(span.Attributes()) == "" {
					continue
				}
				if !begun {
					begun, into.caller = true, p.resolver.Caller(ctx)
				}
				if fresh {
					fresh, into.under = false, p.resolver.Under(resource.Resource().Attributes(), &into.caller)
				}
				p.take(ctx, into, name, span)
			}
		}
	}
}

// What the span of a call that was booked before says of it.
const (
	hasCost = 1 << iota
	hasID
	isAccount
)

var booked = names.New(map[string]uint8{
	semconv.GenopsCostTotal: hasCost, semconv.GenopsCallID: hasID, semconv.GenopsCostRole: isAccount,
})

func (p *costProcessor) take(ctx context.Context, into *work, scope string, span ptrace.Span) {
	defer p.fault(ctx)
	var reading genai.Reading
	var stated attribution.Statement
	said := uint8(0)
	for name, value := range span.Attributes().All() {
		key := names.KeyOf(name)
		reading.Take(key, name, value)
		p.resolver.Take(&stated, key, name, value)
		if told := booked.Get(key, name); told != nil && (*told != isAccount || value.Str() == "account") {
			said |= *told
		}
	}
	if said == hasID {
		p.count(ctx, mirror) // of a call that an SDK of GenOps booked on another span
		return
	}
	call, _ := reading.Call(scope)
	into.told = append(into.told, told{
		span: span, call: call, framework: genai.IsFramework(scope), ours: said&(hasID|hasCost) != 0,
		who: p.resolver.Lay(into.under, &stated, &into.caller),
	})
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

func (p *costProcessor) settle(ctx context.Context, t *told) {
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
	status := p.stamp(attributes, &t.call, t.who, origin{
		id: callID(trace, t.span.SpanID()), at: t.span.StartTimestamp(),
	})
	p.count(ctx, status)
}
