package costprocessor

import (
	"container/list"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	mostAbove  = 256 // spans remembered above the calls of one trace
	mostCalls  = 256 // calls remembered of one trace
	shardCount = 32
)

// guard remembers which calls were accounted for, so that a call that several spans tell counts once: a span above one
// that is accounted, or one with the same response, repeats what was said. It is bounded in traces and in time.
type guard struct {
	shards [shardCount]shard
}

type shard struct {
	mu     sync.Mutex
	traces map[pcommon.TraceID]*list.Element
	order  *list.List // the oldest first
	limit  int
	ttl    time.Duration
	clock  func() time.Time
}

type seenTrace struct {
	id    pcommon.TraceID
	since time.Time
	above []pcommon.SpanID
	calls []seenCall
}

type seenCall struct {
	span     pcommon.SpanID
	response string
	model    string
	began    pcommon.Timestamp
}

func newGuard(config DuplicatesConfig, clock func() time.Time) *guard {
	made := &guard{}
	for i := range made.shards {
		made.shards[i] = shard{
			traces: map[pcommon.TraceID]*list.Element{}, order: list.New(), limit: config.MaxTraces/shardCount + 1,
			ttl: config.TTL, clock: clock,
		}
	}
	return made
}

func (g *guard) shard(trace pcommon.TraceID) *shard { return &g.shards[trace[15]%shardCount] }

func (s *shard) find(trace pcommon.TraceID) *seenTrace {
	if element := s.traces[trace]; element != nil {
		return element.Value.(*seenTrace)
	}
	return nil
}

func (s *shard) make(trace pcommon.TraceID) *seenTrace {
	if found := s.find(trace); found != nil {
		return found
	}
	now := s.clock()
	for oldest := s.order.Front(); oldest != nil; oldest = s.order.Front() {
		value := oldest.Value.(*seenTrace)
		if s.order.Len() < s.limit && now.Sub(value.since) < s.ttl {
			break
		}
		s.order.Remove(oldest)
		delete(s.traces, value.id)
	}
	made := &seenTrace{id: trace, since: now}
	s.traces[trace] = s.order.PushBack(made)
	return made
}

// accounted notes that everything above a span repeats what the span says; parents are those in the same batch.
func (g *guard) accounted(trace pcommon.TraceID, parent pcommon.SpanID, parents map[pcommon.SpanID]pcommon.SpanID) {
	if parent.IsEmpty() {
		return
	}
	s := g.shard(trace)
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.make(trace)
	for !parent.IsEmpty() && len(seen.above) < mostAbove && !seen.isAbove(parent) {
		seen.above = append(seen.above, parent)
		parent = parents[parent]
	}
}

// isAbove is whether a call inside a span was accounted for.
func (g *guard) isAbove(trace pcommon.TraceID, span pcommon.SpanID) bool {
	s := g.shard(trace)
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.find(trace)
	return seen != nil && seen.isAbove(span)
}

func (t *seenTrace) isAbove(span pcommon.SpanID) bool {
	for _, each := range t.above {
		if each == span {
			return true
		}
	}
	return false
}

// first notes a call, and is whether no other span told it before. A batch that is sent again brings the same span.
func (g *guard) first(trace pcommon.TraceID, call seenCall) bool {
	s := g.shard(trace)
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.make(trace)
	for i := range seen.calls {
		if seen.calls[i].span == call.span {
			return true
		}
		if call.response != "" && seen.calls[i].response == call.response {
			return false
		}
	}
	if len(seen.calls) < mostCalls {
		// Texts of their own: those of a span are parts of a whole batch, which would be kept with them.
		call.response, call.model = strings.Clone(call.response), strings.Clone(call.model)
		seen.calls = append(seen.calls, call)
	}
	return true
}

// booked is whether a call of that model that began since is accounted for by another span; a version may follow it.
func (g *guard) booked(trace pcommon.TraceID, call seenCall) bool {
	s := g.shard(trace)
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.find(trace)
	if seen == nil {
		return false
	}
	for _, each := range seen.calls {
		same := strings.HasPrefix(each.model, call.model) || strings.HasPrefix(call.model, each.model)
		if each.span != call.span && each.began >= call.began && same {
			return true
		}
	}
	return false
}
