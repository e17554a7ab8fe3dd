package budget

import (
	"context"
	"math"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// Settle ends a reservation with what its call used; a unit that is not known is charged as reserved. Release: nothing
// ran. Its error is ErrUnknown, a *Conflict, or a *StoreError: then it is told as soon as the store answers.
func (e *Engine) Settle(ctx context.Context, id string, used *Used, release bool) (Ended, error) {
	owed := owed{id: id, used: *used, release: release}
	if waiting, ok := e.outage.uncounted(id); ok {
		owed.legs, owed.actuals = waiting.Plan.Legs, make([]int64, len(waiting.Amounts))
		if !release {
			owed.actuals = waiting.Plan.Actuals(used, waiting.Amounts)
		}
		e.outage.giveBack(waiting, owed.actuals)
	}
	if e.outage.leaveAlone() {
		e.outage.owe(owed)
		return Ended{}, e.outage.reason()
	}
	ended, err := e.tell(ctx, &owed)
	if IsStoreError(err) {
		e.failed(err)
		e.outage.owe(owed)
		return Ended{}, err
	}
	if err == nil {
		e.outage.end()
		e.give(ended.Crossings, nil)
	}
	return ended, err
}

// tell settles one reservation in the store.
func (e *Engine) tell(ctx context.Context, given *owed) (Ended, error) {
	if given.charge != nil {
		ended, err := e.store.Charge(ctx, []Charge{*given.charge})
		if err != nil {
			return Ended{}, err
		}
		return ended[0], nil
	}
	legs, actuals := given.legs, given.actuals
	if legs == nil {
		record, err := e.store.Reservation(ctx, given.id)
		if err != nil {
			return Ended{}, err
		}
		if record == nil {
			return Ended{}, ErrUnknown
		}
		legs, actuals = record.Legs, make([]int64, len(record.Legs))
		if !given.release {
			actuals = Actuals(legs, &given.used, record.Amounts)
		}
	}
	ended, err := e.store.Settle(ctx, given.id, legs, actuals, given.release)
	ended.Legs = legs
	return ended, err
}

// Extend lets a call that still runs live longer, by seconds from now; false if it has ended or expired.
func (e *Engine) Extend(ctx context.Context, id string, seconds float64) (bool, float64, error) {
	expires := e.store.Clock() + seconds
	open, err := e.store.Extend(ctx, id, expires)
	if err != nil {
		e.failed(err)
	}
	return open, expires, err
}

// Charge posts what was spent without a reservation, once for each id, over the limit, too. While the store does not
// answer the error says so, and it is told as soon as it does.
func (e *Engine) Charge(ctx context.Context, charges []Charge) ([]Ended, error) {
	if len(charges) == 0 {
		return nil, nil
	}
	if e.outage.leaveAlone() {
		e.oweAll(charges)
		return nil, e.outage.reason()
	}
	made, err := e.store.Charge(ctx, charges)
	if err != nil {
		e.failed(err)
		e.oweAll(charges)
		return nil, err
	}
	e.outage.end()
	for place := range made {
		if len(made[place].Crossings) > 0 {
			e.give(made[place].Crossings, &charges[place])
		}
	}
	return made, nil
}

func (e *Engine) oweAll(charges []Charge) {
	for place := range charges {
		given := charges[place]
		given.ID = strings.Clone(given.ID) // values of its own: the caller's are parts of a batch
		given.Actuals = slices.Clone(given.Actuals)
		e.outage.owe(owed{id: given.ID, charge: &given})
	}
}

// Tidy tells the store what it missed, and charges what expired.
func (e *Engine) Tidy(ctx context.Context) {
	e.outage.expire(e.store.Clock())
	if e.outage.leaveAlone() {
		return
	}
	for {
		next, ok := e.outage.next()
		if !ok {
			break
		}
		ended, err := e.tell(ctx, &next)
		if IsStoreError(err) {
			e.outage.putBack(next)
			e.failed(err)
			return
		}
		e.outage.end()
		if err != nil {
			e.logger.Warn("what was owed to the budget store is not taken", zap.String("id", next.id), zap.Error(err))
			continue
		}
		e.give(ended.Crossings, next.charge)
	}
	if _, err := e.sweep(ctx, e.store.Clock()); err != nil {
		e.failed(err)
	} else {
		e.outage.end()
	}
}

func (e *Engine) sweep(ctx context.Context, now float64) (int, error) {
	e.swept.Store(math.Float64bits(now))
	ended, err := e.store.ExpireDue(ctx, now)
	for i := range ended {
		e.logger.Info("a reservation expired and was charged", zap.String("id", ended[i].ID), zap.Int64s("charged", ended[i].Charged))
		e.give(ended[i].Crossings, nil)
	}
	return len(ended), err
}

func (e *Engine) give(crossings []Crossing, cause *Charge) {
	if len(crossings) == 0 || e.alerts == nil {
		return
	}
	var made []Alert
	for i := range crossings {
		if alert, ok := e.alert(&crossings[i], e.store.Clock()); ok {
			if cause != nil {
				alert.Trace, alert.Span = cause.Trace, cause.Span
			}
			made = append(made, alert)
		}
	}
	e.alerts(made)
}

func (e *Engine) failed(err error) {
	if e.outage.begin(err) {
		e.logger.Warn("the budget store does not answer; on_store_error of each budget applies", zap.Error(err))
	}
}

// Owed is how many ends of calls the store has yet to be told of.
func (e *Engine) Owed() int { return e.outage.count() }
