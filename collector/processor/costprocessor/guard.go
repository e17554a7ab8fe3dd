package costprocessor

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	mostAbove   = 256 // spans remembered above the calls of one trace
	mostCalls   = 256 // calls remembered of one trace
	mostModels  = 4096
	mostLetters = 256 // remembered of the name of a model
	leastUnique = 16  // characters of the id of a response that belongs to it alone: Ollama's OpenAI endpoint draws out of 999
	shardCount  = 32
	none        = -1
)

// guard remembers which calls were accounted for, so that a call that several spans tell counts once: a span above one
// that is accounted, or one with the same response, repeats what was said. It is bounded in traces and in time. What it
// keeps of most traces has no pointers, so the garbage collector passes it by.
type guard struct {
	shards [shardCount]shard
	seed   maphash.Seed
	models models
}

// shard has its traces in one slice, chained by their places: from oldest to newest, and those that are free.
type shard struct {
	mu                   sync.Mutex
	places               map[pcommon.TraceID]int32
	traces               []seenTrace
	more                 map[int32]*more
	oldest, newest, free int32
	limit                int
	ttl                  time.Duration
	clock                func() time.Time
	begun                time.Time
}

// seenTrace has room for what most traces have; the rest is in more.
type seenTrace struct {
	id     pcommon.TraceID
	since  time.Duration
	next   int32
	nAbove uint16
	nCalls uint16
	above  [2]pcommon.SpanID
	calls  [1]keptCall
}

type more struct {
	above []pcommon.SpanID
	calls []keptCall
}

// seenCall is a call as a span tells it.
type seenCall struct {
	span     pcommon.SpanID
	response string
	model    string
	began    pcommon.Timestamp
}

type keptCall struct {
	span     pcommon.SpanID
	response uint64 // a hash; 0 for none, and for one that several may have
	began    pcommon.Timestamp
	model    int32
}

func newGuard(config DuplicatesConfig, clock func() time.Time) *guard {
	made := &guard{seed: maphash.MakeSeed(), models: models{numbers: map[string]int32{"": 0}, names: []string{""}}}
	for i := range made.shards {
		made.shards[i] = shard{
			places: map[pcommon.TraceID]int32{}, more: map[int32]*more{}, oldest: none, newest: none, free: none,
			limit: config.MaxTraces/shardCount + 1, ttl: config.TTL, clock: clock, begun: clock(),
		}
	}
	return made
}

func (g *guard) shard(trace pcommon.TraceID) *shard { return &g.shards[trace[15]%shardCount] }

// find is the place of a trace; none if it is not remembered.
func (s *shard) find(trace pcommon.TraceID) int32 {
	if place, ok := s.places[trace]; ok {
		return place
	}
	return none
}

func (s *shard) make(trace pcommon.TraceID) int32 {
	if place := s.find(trace); place != none {
		return place
	}
	now := s.clock().Sub(s.begun)
	for s.oldest != none && (len(s.places) >= s.limit || now-s.traces[s.oldest].since >= s.ttl) {
		s.forget()
	}
	place := s.free
	if place == none {
		place = int32(len(s.traces))
		s.traces = append(s.traces, seenTrace{})
	} else {
		s.free = s.traces[place].next
	}
	s.traces[place] = seenTrace{id: trace, since: now, next: none}
	if s.oldest == none {
		s.oldest = place
	} else {
		s.traces[s.newest].next = place
	}
	s.newest = place
	s.places[trace] = place
	return place
}

// forget takes the oldest trace away.
func (s *shard) forget() {
	place := s.oldest
	gone := &s.traces[place]
	delete(s.places, gone.id)
	delete(s.more, place)
	s.oldest, gone.next, s.free = gone.next, s.free, place
}

// beyond is what there is of a trace that its own place has no room for.
func (s *shard) beyond(place int32) *more {
	found := s.more[place]
	if found == nil {
		found = &more{}
		s.more[place] = found
	}
	return found
}

// accounted notes that everything above a span repeats what the span says; parents are those in the same batch.
func (g *guard) accounted(trace pcommon.TraceID, parent pcommon.SpanID, parents map[pcommon.SpanID]pcommon.SpanID) {
	if parent.IsEmpty() {
		return
	}
	s := g.shard(trace)
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.make(trace)
	for seen := &s.traces[place]; !parent.IsEmpty() && seen.nAbove < mostAbove && !s.isAbove(place, parent); seen.nAbove++ {
		if int(seen.nAbove) < len(seen.above) {
			seen.above[seen.nAbove] = parent
		} else {
			beyond := s.beyond(place)
			beyond.above = append(beyond.above, parent)
		}
		parent = parents[parent]
	}
}

// isAbove is whether a call inside a span was accounted for.
func (g *guard) isAbove(trace pcommon.TraceID, span pcommon.SpanID) bool {
	s := g.shard(trace)
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.find(trace)
	return place != none && s.isAbove(place, span)
}

func (s *shard) isAbove(place int32, span pcommon.SpanID) bool {
	seen := &s.traces[place]
	if here := min(int(seen.nAbove), len(seen.above)); slices.Contains(seen.above[:here], span) {
		return true
	}
	return int(seen.nAbove) > len(seen.above) && slices.Contains(s.more[place].above, span)
}

// first notes a call, and is whether no other span told it before. A batch that is sent again brings the same span.
func (g *guard) first(trace pcommon.TraceID, call seenCall) bool {
	kept := keptCall{call.span, g.hash(call.response), call.began, g.models.number(call.model)}
	s := g.shard(trace)
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.make(trace)
	for each := range s.calls(place) {
		if each.span == kept.span {
			return true
		}
		if kept.response != 0 && each.response == kept.response {
			return false
		}
	}
	switch seen := &s.traces[place]; {
	case int(seen.nCalls) < len(seen.calls):
		seen.calls[seen.nCalls] = kept
		seen.nCalls++
	case seen.nCalls < mostCalls:
		beyond := s.beyond(place)
		beyond.calls = append(beyond.calls, kept)
		seen.nCalls++
	}
	return true
}

func (s *shard) calls(place int32) func(yield func(*keptCall) bool) {
	return func(yield func(*keptCall) bool) {
		seen := &s.traces[place]
		for i := range min(int(seen.nCalls), len(seen.calls)) {
			if !yield(&seen.calls[i]) {
				return
			}
		}
		if int(seen.nCalls) > len(seen.calls) {
			beyond := s.more[place].calls
			for i := range beyond {
				if !yield(&beyond[i]) {
					return
				}
			}
		}
	}
}

// booked is whether a call of that model that began since is accounted for by another span; a version may follow it.
func (g *guard) booked(trace pcommon.TraceID, call seenCall) bool {
	s := g.shard(trace)
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.find(trace)
	if place == none {
		return false
	}
	for each := range s.calls(place) {
		if each.span == call.span || each.began < call.began {
			continue
		}
		model := g.models.name(each.model)
		if strings.HasPrefix(model, call.model) || strings.HasPrefix(call.model, model) {
			return true
		}
	}
	return false
}

// hash stands for the id of a response; two of one trace are the same by chance once in 2^64 pairs.
func (g *guard) hash(response string) uint64 {
	if len(response) < leastUnique {
		return 0
	}
	return max(maphash.String(g.seed, response), 1)
}

// models are the names of models by number. There is room for so many; what comes after is like a call without a name.
type models struct {
	mu      sync.RWMutex
	numbers map[string]int32
	names   []string
}

func (m *models) number(name string) int32 {
	name = name[:min(len(name), mostLetters)]
	m.mu.RLock()
	found, known := m.numbers[name]
	full := len(m.names) >= mostModels
	m.mu.RUnlock()
	if known || full {
		return found
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if found, known = m.numbers[name]; known {
		return found
	}
	name = strings.Clone(name) // a text of its own: that of a span is part of a whole batch, which would be kept with it
	m.numbers[name] = int32(len(m.names))
	m.names = append(m.names, name)
	return m.numbers[name]
}

func (m *models) name(number int32) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.names[number]
}
