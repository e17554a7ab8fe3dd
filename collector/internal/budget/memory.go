package budget

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	remembered   = 100_000 // ended reservations whose repetition is recognised
	keptS        = 86_400  // counters after their window
	forgetEveryS = 600
	expiredOnce  = 100
)

type counter struct {
	spent, reserved int64
	mask            uint32
	until           int64 // kept until then; 0 for ever
}

type record struct {
	Record
	expires float64
}

// Memory is a Store in the memory of this process.
type Memory struct {
	clock    func() float64
	mu       sync.Mutex
	counters map[string]*counter
	open     map[string]*record
	ended    map[string]*record
	order    []string // of ended, the oldest first from head on
	head     int
	charged  charged
	nextDue  float64
	forgotAt float64
}

// NewMemory is an empty store. A nil clock is the system's.
func NewMemory(clock func() float64) *Memory {
	if clock == nil {
		clock = systemClock
	}
	return &Memory{
		clock: clock, counters: map[string]*counter{}, open: map[string]*record{}, ended: map[string]*record{},
		charged: charged{known: map[digest]struct{}{}}, nextDue: math.Inf(1),
	}
}

func systemClock() float64 { return float64(time.Now().UnixMicro()) / 1e6 }

// Clock is the time of this machine.
func (m *Memory) Clock() float64 { return m.clock() }

// Close does nothing: memory goes with the process.
func (m *Memory) Close() error { return nil }

// Reserve takes the amounts from all legs or from none.
func (m *Memory) Reserve(_ context.Context, request *Request) (*Granted, *Refused, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reserve(request)
}

func (m *Memory) reserve(request *Request) (*Granted, *Refused, error) {
	if known := m.find(request.ID); known != nil {
		if known.State != Open {
			return nil, nil, &Conflict{request.ID, known.State, known.Charges, "be reserved again"}
		}
		granted, _ := m.fits(request.Plan.Legs, nil, request.Now)
		granted.Repeated = true
		return granted, nil, nil
	}
	if m.charged.has(digestOf(request.ID)) {
		return nil, nil, &Conflict{request.ID, Settled, nil, "be reserved again"}
	}
	granted, refused := m.fits(request.Plan.Legs, request.Amounts.Reserved, request.Now)
	if refused != nil {
		return nil, refused, nil
	}
	m.hold(&record{
		Record: Record{
			ID: request.ID, Legs: request.Plan.Legs, Amounts: request.Amounts.Reserved, Charges: request.Amounts.OnExpiry,
		},
		expires: request.Expires,
	})
	return granted, nil, nil
}

func (m *Memory) hold(held *record) {
	for place := range held.Legs {
		m.counter(&held.Legs[place]).reserved += held.Amounts[place]
	}
	m.open[held.ID] = held
	m.nextDue = min(m.nextDue, held.expires)
}

func (m *Memory) find(id string) *record {
	if found := m.open[id]; found != nil {
		return found
	}
	return m.ended[id]
}

func (m *Memory) counter(leg *Leg) *counter {
	found := m.counters[leg.Key]
	if found == nil {
		found = &counter{until: keptUntil(leg, keptS)}
		m.counters[strings.Clone(leg.Key)] = found
	}
	return found
}

// keptUntil is until when a counter is wanted: a while after a calendar window; 0 for ever. A bucket of a rolling window
// counts for the length of the window after its own end; a day is for late settlements.
func keptUntil(leg *Leg, graceS int64) int64 {
	if !leg.HasEnd {
		return 0
	}
	if len(leg.Also) > 0 {
		_, _, _, oldest, _ := ParseKey(leg.Also[len(leg.Also)-1])
		return 2*leg.End - oldest + min(graceS, keptS)
	}
	return leg.End + graceS
}

// fits is whether every hard leg takes its amount; nil amounts are zeros, which always fit.
func (m *Memory) fits(legs []Leg, amounts []int64, now float64) (*Granted, *Refused) {
	granted, least := &Granted{}, math.Inf(1)
	for place := range legs {
		leg, amount := &legs[place], int64(0)
		if amounts != nil {
			amount = amounts[place]
		}
		used := m.used(leg)
		left := leg.Limit - used - amount
		if left < 0 && amount > 0 {
			if leg.Hard {
				return nil, &Refused{place, used, leg.Limit, retryAfter(leg, now)}
			}
			granted.Over = append(granted.Over, place)
		}
		if share := float64(left) / float64(max(leg.Limit, 1)); share < least {
			granted.Tightest, granted.Remaining, least = place, left, share
		}
	}
	return granted, nil
}

func retryAfter(leg *Leg, now float64) float64 {
	if !leg.HasEnd {
		return -1
	}
	return max(0, float64(leg.End)-now)
}

func (m *Memory) used(leg *Leg) int64 {
	used := int64(0)
	if found := m.counters[leg.Key]; found != nil {
		used = found.spent + found.reserved
	}
	for _, key := range leg.Also {
		if older := m.counters[key]; older != nil {
			used += older.spent + older.reserved
		}
	}
	return used
}

// Reservation is a record by its id.
func (m *Memory) Reservation(_ context.Context, id string) (*Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := m.find(id); found != nil {
		copied := found.Record
		return &copied, nil
	}
	if m.charged.has(digestOf(id)) {
		return &Record{ID: id, State: Settled}, nil
	}
	return nil, nil
}

// Settle charges actuals in place of what is reserved.
func (m *Memory) Settle(_ context.Context, id string, legs []Leg, actuals []int64, release bool) (Ended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settle(id, legs, actuals, release)
}

func (m *Memory) settle(id string, legs []Leg, actuals []int64, release bool) (Ended, error) {
	state := Settled
	if release {
		state = Released
	}
	if found := m.open[id]; found != nil {
		delete(m.open, id)
		return m.end(found, actuals, state, m.charge(found.Legs, actuals, found.Amounts)), nil
	}
	found := m.ended[id]
	switch {
	case found == nil && m.charged.has(digestOf(id)):
		return Ended{ID: id, State: Settled, Repeated: true}, nil
	case found == nil:
		ended := m.end(&record{Record: Record{ID: id, Legs: legs, Amounts: actuals}}, actuals, state, m.charge(legs, actuals, nil))
		ended.Unknown = true
		return ended, nil
	case found.State == Expired:
		more := make([]int64, len(actuals))
		for place := range actuals {
			more[place] = actuals[place] - found.Charges[place]
		}
		ended := m.end(found, actuals, state, m.charge(found.Legs, more, nil))
		ended.Late = true
		return ended, nil
	case !slices.Equal(found.Charges, actuals):
		return Ended{}, &Conflict{id, found.State, found.Charges, fmt.Sprintf("be charged %v", actuals)}
	}
	return Ended{ID: id, State: found.State, Charged: found.Charges, Repeated: true}, nil
}

// Charge posts what was spent already.
func (m *Memory) Charge(_ context.Context, charges []Charge) ([]Ended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.post(charges), nil
}

func (m *Memory) post(charges []Charge) []Ended {
	legs := 0
	for place := range charges {
		legs += len(charges[place].Plan.Legs)
	}
	made, used := make([]Ended, len(charges)), make([]int64, 0, legs)
	for place := range charges {
		given := &charges[place]
		made[place] = m.postOne(given)
		from := len(used)
		for i := range given.Plan.Legs {
			used = append(used, m.used(&given.Plan.Legs[i]))
		}
		made[place].Used = used[from:len(used):len(used)]
	}
	return made
}

func (m *Memory) postOne(given *Charge) Ended {
	if found := m.find(given.ID); found != nil {
		return Ended{ID: given.ID, State: found.State, Charged: found.Charges, Repeated: true}
	}
	id := digestOf(given.ID)
	if m.charged.has(id) {
		return Ended{ID: given.ID, State: Settled, Charged: given.Actuals, Repeated: true}
	}
	m.charged.add(id)
	crossings := m.charge(given.Plan.Legs, given.Actuals, nil)
	return Ended{ID: given.ID, State: Settled, Charged: given.Actuals, Crossings: crossings, Unknown: true}
}

// charge adds to what is spent, takes from what is reserved, and returns which thresholds that passed.
func (m *Memory) charge(legs []Leg, spent, reserved []int64) []Crossing {
	var crossings []Crossing
	for place := range legs {
		leg := &legs[place]
		found := m.counter(leg)
		found.spent += spent[place]
		if reserved != nil {
			found.reserved -= reserved[place]
		}
		if len(leg.Thresholds) > 0 && (len(leg.Also) > 0 || found.spent >= leg.Thresholds[0]) {
			crossings = m.crossings(leg, found, crossings)
		}
	}
	return crossings
}

func (m *Memory) crossings(leg *Leg, found *counter, into []Crossing) []Crossing {
	spent, mask := found.spent, found.mask
	for _, key := range leg.Also {
		if older := m.counters[key]; older != nil {
			spent += older.spent
			mask |= older.mask
		}
	}
	for place, threshold := range leg.Thresholds {
		if bit := uint32(1) << place; spent >= threshold && mask&bit == 0 {
			found.mask |= bit
			into = append(into, Crossing{leg.Key, place, spent})
		}
	}
	return into
}

func (m *Memory) end(found *record, charged []int64, state State, crossings []Crossing) Ended {
	found.State, found.Charges = state, charged
	m.remember(found)
	return Ended{ID: found.ID, State: state, Charged: charged, Crossings: crossings}
}

// remember keeps the newest ended ones.
func (m *Memory) remember(found *record) {
	if m.ended[found.ID] == nil {
		if len(m.order)-m.head >= remembered {
			delete(m.ended, m.order[m.head])
			m.order[m.head] = ""
			m.head++
			if m.head > len(m.order)/2 {
				m.order = append(m.order[:0:0], m.order[m.head:]...)
				m.head = 0
			}
		}
		m.order = append(m.order, found.ID)
	}
	m.ended[found.ID] = found
}

// Extend lets an open reservation live until expires.
func (m *Memory) Extend(_ context.Context, id string, expires float64) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.extend(id, expires), nil
}

func (m *Memory) extend(id string, expires float64) bool {
	found := m.open[id]
	if found == nil {
		return false
	}
	found.expires = expires
	m.nextDue = min(m.nextDue, expires)
	return true
}

// ExpireDue charges open reservations whose time is over.
func (m *Memory) ExpireDue(_ context.Context, now float64) ([]Ended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.expireDue(now), nil
}

func (m *Memory) expireDue(now float64) []Ended {
	if now-m.forgotAt > forgetEveryS {
		m.forgotAt = now
		m.forget(now)
	}
	if now < m.nextDue {
		return nil
	}
	var due []*record
	m.nextDue = math.Inf(1)
	for _, found := range m.open {
		if found.expires <= now {
			due = append(due, found)
		} else {
			m.nextDue = min(m.nextDue, found.expires)
		}
	}
	slices.SortFunc(due, func(a, b *record) int { return strings.Compare(a.ID, b.ID) })
	if len(due) > expiredOnce {
		due, m.nextDue = due[:expiredOnce], now
	}
	ended := make([]Ended, len(due))
	for place, found := range due {
		delete(m.open, found.ID)
		ended[place] = m.end(found, found.Charges, Expired, m.charge(found.Legs, found.Charges, found.Amounts))
	}
	return ended
}

func (m *Memory) forget(now float64) {
	for key, found := range m.counters {
		if found.until > 0 && float64(found.until) < now && found.reserved == 0 {
			delete(m.counters, key)
		}
	}
}

// Usage is the counters of keys.
func (m *Memory) Usage(_ context.Context, keys []string) ([]Counter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := make([]Counter, len(keys))
	for place, key := range keys {
		found[place].Key = key
		if counter := m.counters[key]; counter != nil {
			found[place].Spent, found[place].Reserved = counter.spent, counter.reserved
		}
	}
	return found, nil
}
