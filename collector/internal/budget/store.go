package budget

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// State is where a reservation stands. Open becomes one of the others; Expired may still become Settled or Released.
type State int

// The states, in the numbers that stores keep.
const (
	Open State = iota
	Settled
	Released
	Expired
)

func (s State) String() string { return [...]string{"open", "settled", "released", "expired"}[s] }

// Granted says that all legs are reserved. Tightest is the place of the leg with the smallest share of its limit left,
// Remaining what is left of it; below 0 on a soft leg past its limit. Over are the soft legs past theirs.
type Granted struct {
	Tightest  int
	Remaining int64
	Over      []int
	Repeated  bool
}

// Refused says that nothing is reserved: the leg at Place does not take it. Used is spent and reserved, before the call.
type Refused struct {
	Place       int
	Used        int64
	Limit       int64
	RetryAfterS float64 // until its window ends; below 0 for a total
}

// Crossing is a threshold passed for the first time in its window: Place in the leg's thresholds, Spent after it.
type Crossing struct {
	Key   string
	Place int
	Spent int64
}

// Ended is a reservation that has ended: how, what each leg was charged, and which thresholds that passed. Late says that
// it had expired and the charge for that was taken back; Unknown that there was no record and only the charge was posted.
type Ended struct {
	ID        string
	State     State
	Charged   []int64
	Legs      []Leg   // by Engine.Settle alone
	Used      []int64 // of each leg after it, by a Charge alone
	Crossings []Crossing
	Repeated  bool
	Late      bool
	Unknown   bool
}

// Record is a reservation as a store keeps it. Charges are what expiry charges; once it has ended, what was charged.
type Record struct {
	ID      string
	State   State
	Legs    []Leg // without limits
	Amounts []int64
	Charges []int64
}

// Counter is what a counter holds.
type Counter struct {
	Key      string
	Spent    int64
	Reserved int64
}

// Request is a reservation to be made.
type Request struct {
	ID      string
	Plan    *Plan
	Amounts Amounts
	Now     float64 // UTC seconds
	Expires float64
}

// Charge is what was spent without being asked for. Trace and Span are those of the call, if it has them.
type Charge struct {
	ID      string
	Plan    *Plan
	Actuals []int64
	Trace   [16]byte
	Span    [8]byte
}

// Store keeps counters and reservations; every operation happens at once or not at all, and a repetition under the same
// id changes nothing. Its errors are *StoreError when it does not answer, *Conflict when an id has ended otherwise. It is
// safe for concurrent use.
type Store interface {
	// Clock is the time in UTC seconds: that of the store's server, where it has one.
	Clock() float64
	// Reserve takes the amounts from all legs or from none: the answer is one of the two.
	Reserve(ctx context.Context, request *Request) (*Granted, *Refused, error)
	// Reservation is a record by its id; nil for one that is not known.
	Reservation(ctx context.Context, id string) (*Record, error)
	// Settle charges actuals in place of what is reserved. Release: nothing ran, and the actuals are zeros.
	Settle(ctx context.Context, id string, legs []Leg, actuals []int64, release bool) (Ended, error)
	// Charge posts what was spent already, once for each id. On an error some may be posted: it may be repeated.
	Charge(ctx context.Context, charges []Charge) ([]Ended, error)
	// Extend lets an open reservation live until expires; false if it is not open.
	Extend(ctx context.Context, id string, expires float64) (bool, error)
	// ExpireDue charges open reservations whose time is over, a bounded number of them.
	ExpireDue(ctx context.Context, now float64) ([]Ended, error)
	// Usage is the counters of keys, in their order; zeros for one that is not there.
	Usage(ctx context.Context, keys []string) ([]Counter, error)
	// Close lets go of files and connections.
	Close() error
}

// StoreError says that a store does not answer, or no longer holds what it was given.
type StoreError struct {
	What, Fix string
	Cause     error
}

func (e *StoreError) Error() string { return e.What + ".  fix: " + e.Fix }

// Unwrap is what went wrong underneath.
func (e *StoreError) Unwrap() error { return e.Cause }

// Conflict says that a reservation has ended and is asked to do something else; nothing changed.
type Conflict struct {
	ID      string
	State   State
	Charged []int64
	Asked   string
}

func (e *Conflict) Error() string {
	return fmt.Sprintf("reservation %s is %s with %v and cannot %s; nothing changed.  "+
		"fix: settle a reservation once; a retry of a call needs an id of its own", e.ID, e.State, e.Charged, e.Asked)
}

// IsStoreError is whether a store did not answer.
func IsStoreError(err error) bool {
	var found *StoreError
	return errors.As(err, &found)
}

// CheckID is what is wrong with the id of a reservation.
func CheckID(id string) error {
	switch {
	case id == "":
		return errors.New("id is empty.  fix: give each attempt of a call an id of its own, such as a UUID")
	case len(id) > 200:
		return errors.New("id is longer than 200 bytes.  fix: use a UUID")
	case strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }):
		return errors.New("id has control characters.  fix: use a UUID")
	}
	return nil
}
