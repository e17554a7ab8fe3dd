package budget

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	mostOwed      = 100_000 // beyond it the oldest are dropped, and counted
	mostUncounted = 100_000
	leftAlone     = time.Second
)

// owed is an end of a reservation, or a charge, that the store has yet to be told of.
type owed struct {
	id      string
	legs    []Leg // nil: those of the reservation that the store has
	actuals []int64
	used    Used
	release bool
	charge  *Charge
}

// outage is whether the store is to be left alone, what was let through meanwhile, and what it has yet to be told.
type outage struct {
	failing atomic.Bool

	mu      sync.Mutex
	until   time.Time
	cause   *StoreError
	owed    []owed
	dropped int64
	held    map[string]*Held // let through without being counted
	allowed map[string]int64 // of local allowances: one slice per window and process, never refilled
}

func (o *outage) init() {
	o.held, o.allowed = map[string]*Held{}, map[string]int64{}
}

// leaveAlone is whether not to ask the store. After each pause one caller is let through to try it again.
func (o *outage) leaveAlone() bool {
	if !o.failing.Load() {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Before(o.until) {
		return true
	}
	o.until = now.Add(leftAlone)
	return false
}

// begin notes that the store failed, and is whether that is news.
func (o *outage) begin(err error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.until = time.Now().Add(leftAlone)
	if failed, ok := err.(*StoreError); ok {
		o.cause = failed
	} else {
		o.cause = &StoreError{err.Error(), "start the server, or correct the URL of the budget store", err}
	}
	return !o.failing.Swap(true)
}

func (o *outage) end() {
	if o.failing.Load() {
		o.failing.Store(false)
	}
}

func (o *outage) reason() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cause
}

func (o *outage) why() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	line, _, _ := strings.Cut(o.cause.What, "\n")
	return line
}

func (o *outage) owe(given owed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.owed = append(o.owed, given)
	if len(o.owed) > mostOwed {
		o.owed = o.owed[1:]
		o.dropped++
	}
}

func (o *outage) owing() bool { return o.count() > 0 }

func (o *outage) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.owed)
}

// next takes the oldest of what is owed.
func (o *outage) next() (owed, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.owed) == 0 {
		o.owed = nil
		return owed{}, false
	}
	found := o.owed[0]
	o.owed[0] = owed{}
	o.owed = o.owed[1:]
	return found, true
}

func (o *outage) putBack(given owed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.owed = append([]owed{given}, o.owed...)
}

// take lets a call through that is not counted: the place of the first local allowance that has too little left, or -1.
func (o *outage) take(held *Held) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held[held.ID] != nil {
		return -1 // the same call again
	}
	for place, budget := range held.Plan.Budgets {
		if budget.OnStoreError == LocalAllowance && o.allowed[held.Plan.Legs[place].Key]+held.Amounts[place] > budget.Slice {
			return place
		}
	}
	for place, budget := range held.Plan.Budgets {
		if budget.OnStoreError == LocalAllowance {
			o.allowed[held.Plan.Legs[place].Key] += held.Amounts[place]
		}
	}
	if len(o.held) < mostUncounted {
		o.held[held.ID] = held
	}
	return -1
}

// uncounted is a call that was let through, and forgets it.
func (o *outage) uncounted(id string) (*Held, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, ok := o.held[id]
	delete(o.held, id)
	return found, ok
}

// expire charges calls that were let through and that nobody ended in time.
func (o *outage) expire(now float64) {
	o.mu.Lock()
	var due []owed
	for id, held := range o.held {
		if held.Expires <= now {
			delete(o.held, id)
			due = append(due, owed{id: id, legs: held.Plan.Legs, actuals: held.Plan.Actuals(&Nothing, held.Amounts)})
		}
	}
	o.mu.Unlock()
	for _, each := range due {
		o.owe(each)
	}
}

// giveBack puts back what a call did not use of the local allowances.
func (o *outage) giveBack(held *Held, actuals []int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for place := range held.Plan.Legs {
		key := held.Plan.Legs[place].Key
		if _, ok := o.allowed[key]; ok {
			o.allowed[key] += actuals[place] - held.Amounts[place]
		}
	}
}
