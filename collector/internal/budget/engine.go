package budget

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	sweepEvery   = time.Second
	sweepAgainS  = 0.1 // after a refusal, which an expired reservation may be the cause of
	fittings     = 3   // attempts to fit a request while others take from the same budget
	defaultLifeS = 660
)

// Held is what is reserved for one call. The leg with the smallest share left stands for all. Counted is false if the
// store knows nothing of it yet, because it did not answer.
type Held struct {
	ID      string
	Plan    *Plan
	Amounts []int64
	Place   int
	Left    int64
	Expires float64
	Counted bool
}

// Admission is the answer to a call. A finding that refuses means that nothing is reserved. Held is nil, too, when no
// budget matches. MaxOutputTokens is the lower limit that the request must be sent with, if it was made to fit.
type Admission struct {
	Held            *Held
	Findings        []Finding
	RetryAfterS     float64 // below 0 if nothing is to be waited for
	MaxOutputTokens int64
}

// Result is the gravest of the findings.
func (a *Admission) Result() string {
	result := Allowed
	for i := range a.Findings {
		switch found := a.Findings[i].Result; {
		case found == Blocked, found == RateLimited && result != Blocked, result == Allowed:
			result = found
		}
	}
	return result
}

// ErrUnknown says that no reservation has an id.
var ErrUnknown = errors.New("no reservation has this id: it was never made, or ended more than a week ago.  " +
	"fix: reserve first, and settle with the id of the reservation")

// Engine reserves and settles against budgets in a store. It is safe for concurrent use.
type Engine struct {
	Budgets []*Budget
	store   Store
	planner *Planner
	byName  map[string]*Budget
	logger  *zap.Logger
	alerts  func([]Alert)
	outage  outage
	swept   atomic.Uint64 // the bits of UTC seconds

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// NewEngine is the engine of budgets in a store. alerts gets every alert and must not wait.
func NewEngine(budgets []*Budget, store Store, logger *zap.Logger, alerts func([]Alert)) *Engine {
	made := &Engine{
		Budgets: budgets, store: store, planner: NewPlanner(budgets), byName: map[string]*Budget{}, logger: logger,
		alerts: alerts,
	}
	made.outage.init()
	for _, budget := range budgets {
		made.byName[budget.Name] = budget
	}
	return made
}

// Start begins to tell the store what it missed, and to charge what expired, now and then.
func (e *Engine) Start() {
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	e.stopped.Go(func() {
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				e.Tidy(ctx)
			}
		}
	})
}

// Close tells the store what it has yet to be told, as far as it answers, and lets go of it.
func (e *Engine) Close(ctx context.Context) error {
	if e.stop != nil {
		e.stop()
		e.stopped.Wait()
	}
	if e.outage.owing() {
		e.outage.end()
		e.Tidy(ctx)
	}
	if left := e.outage.count(); left > 0 {
		e.logger.Warn("charges could not be told to the budget store", zap.Int("calls", left))
	}
	return e.store.Close()
}

// Clock is the time of the store, in UTC seconds.
func (e *Engine) Clock() float64 { return e.store.Clock() }

// Tags are the keys of the tags that some budget looks at.
func (e *Engine) Tags() []string { return e.planner.Tags() }

// Asks is whether some budget looks at a field of the attribution.
func (e *Engine) Asks(field int) bool { return e.planner.Asks(field) }

// Plan is the legs of a call in the windows that run at an instant.
func (e *Engine) Plan(call *Call, now float64) *Plan { return e.planner.Plan(call, now) }

// -- before the call ---------------------------------------------------------------------------------------------------

// request is a call on its way through the engine.
type request struct {
	Request
	call     Call
	warnings []Finding
}

// Reserve takes what a call may use from every budget that matches it, or from none. Its error is a *Conflict, or says
// what is wrong with the call; that a store does not answer is part of the answer.
func (e *Engine) Reserve(ctx context.Context, id string, call *Call, lifeS float64) (Admission, error) {
	if err := CheckID(id); err != nil {
		return Admission{}, err
	}
	if lifeS <= 0 {
		lifeS = defaultLifeS
	}
	now := e.store.Clock()
	plan := e.planner.Plan(call, now)
	if len(plan.Legs) == 0 {
		return Admission{RetryAfterS: -1}, nil
	}
	amounts := plan.Amounts(call)
	for _, amount := range amounts.Reserved {
		if amount > Largest {
			return Admission{}, errors.New("the call may take more than one counter holds.  fix: check the estimate")
		}
	}
	asked := &request{Request: Request{id, plan, amounts, now, now + lifeS}, call: *call}
	for _, place := range amounts.Unknown {
		if plan.Budgets[place].OnUnpriced == Flat {
			continue
		}
		warning := plan.unpriced(place)
		if asked.warnings = append(asked.warnings, warning); warning.Refuses() {
			return refusing(-1, warning), nil
		}
	}
	if e.outage.leaveAlone() {
		return e.withoutStore(asked, false), nil
	}
	granted, refused, err := e.store.Reserve(ctx, &asked.Request)
	if err == nil && refused != nil {
		return e.secondTry(ctx, asked, refused)
	}
	return e.answer(asked, granted, 0, err)
}

func refusing(retryAfterS float64, findings ...Finding) Admission {
	return Admission{Findings: findings, RetryAfterS: retryAfterS}
}

// answer is what a store's answer that is no refusal amounts to.
func (e *Engine) answer(asked *request, granted *Granted, output int64, err error) (Admission, error) {
	if IsStoreError(err) {
		e.failed(err)
		return e.withoutStore(asked, true), nil
	}
	if err != nil {
		return Admission{}, err
	}
	e.outage.end()
	findings := asked.warnings
	for _, place := range granted.Over {
		findings = append(findings, asked.Plan.softLimit(place))
	}
	held := &Held{
		asked.ID, asked.Plan, asked.Amounts.Reserved, granted.Tightest, granted.Remaining, asked.Expires, true,
	}
	return Admission{Held: held, Findings: findings, RetryAfterS: -1, MaxOutputTokens: output}, nil
}

// secondTry is what a refused call may still get: what expired reservations held, or a lower output limit.
func (e *Engine) secondTry(ctx context.Context, asked *request, refused *Refused) (Admission, error) {
	if swept := math.Float64frombits(e.swept.Load()); asked.Now < swept || asked.Now >= swept+sweepAgainS {
		ended, err := e.sweep(ctx, asked.Now)
		if err == nil && ended > 0 {
			granted, again, err := e.store.Reserve(ctx, &asked.Request)
			if again == nil {
				return e.answer(asked, granted, 0, err)
			}
			refused = again
		}
	}
	for range fittings {
		if asked.Plan.Budgets[refused.Place].Estimator != Fit || !asked.call.Reducible || asked.call.OutputTokens <= 0 {
			break
		}
		left, err := e.left(ctx, asked.Plan)
		if err != nil {
			return e.answer(asked, nil, 0, err)
		}
		output := asked.Plan.fit(&asked.call, left)
		if output < 1 {
			break
		}
		smaller := *asked
		smaller.call = asked.call.reduced(output)
		smaller.Amounts = asked.Plan.Amounts(&smaller.call)
		granted, again, err := e.store.Reserve(ctx, &smaller.Request)
		if again == nil {
			return e.answer(&smaller, granted, output, err)
		}
		refused = again
	}
	e.outage.end()
	refusal := asked.Plan.refusal(refused, asked.Amounts.Reserved[refused.Place])
	return refusing(refused.RetryAfterS, append([]Finding{refusal}, asked.warnings...)...), nil
}

// left is what of each leg is neither spent nor reserved.
func (e *Engine) left(ctx context.Context, plan *Plan) ([]int64, error) {
	counters, err := e.store.Usage(ctx, keysOf(plan.Legs))
	if err != nil {
		return nil, err
	}
	left, next := make([]int64, len(plan.Legs)), 0
	for place := range plan.Legs {
		left[place] = plan.Legs[place].Limit
		for range 1 + len(plan.Legs[place].Also) {
			left[place] -= counters[next].Spent + counters[next].Reserved
			next++
		}
	}
	return left, nil
}

// Standing is where one leg of a plan stands.
type Standing struct {
	Plan  *Plan
	Place int
	Left  int64
}

// Standing is where every budget that matches a call stands.
func (e *Engine) Standing(ctx context.Context, call *Call) ([]Standing, error) {
	return e.standing(ctx, e.planner.Plan(call, e.store.Clock()))
}

func (e *Engine) standing(ctx context.Context, plan *Plan) ([]Standing, error) {
	left, err := e.left(ctx, plan)
	if err != nil {
		return nil, err
	}
	found := make([]Standing, len(left))
	for place := range left {
		found[place] = Standing{plan, place, left[place]}
	}
	return found, nil
}

// Standings is where every counter stands that calls of this process touched in the windows that run, and every budget
// that is not grouped; at most limit of them, and how many there are.
func (e *Engine) Standings(ctx context.Context, limit int) ([]Standing, int, error) {
	now, seen := e.store.Clock(), map[string]bool{}
	var chosen Plan
	take := func(plan *Plan) {
		for place := range plan.Legs {
			if key := plan.Legs[place].Key; !seen[key] {
				seen[key] = true
				if len(chosen.Legs) < limit {
					chosen.Legs, chosen.Budgets = append(chosen.Legs, plan.Legs[place]), append(chosen.Budgets, plan.Budgets[place])
					chosen.Groups, chosen.Spans = append(chosen.Groups, plan.Groups[place]), append(chosen.Spans, plan.Spans[place])
				}
			}
		}
	}
	var plain Plan
	for _, budget := range e.Budgets {
		if len(budget.groupBy) == 0 {
			plain.add(budget, nil, budget.Window.At(now))
		}
	}
	take(&plain)
	for _, plan := range e.planner.Current(now) {
		take(plan)
	}
	found, err := e.standing(ctx, &chosen)
	return found, len(seen), err
}

// -- after the call ----------------------------------------------------------------------------------------------------

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

// -- in between --------------------------------------------------------------------------------------------------------

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

// withoutStore answers a call by on_store_error of its budgets. A store that was asked may have reserved all the same; if
// the call is refused, that is to be released.
func (e *Engine) withoutStore(asked *request, wasAsked bool) Admission {
	plan, reason := asked.Plan, e.outage.why()
	admission := Admission{RetryAfterS: -1}
	for place, budget := range plan.Budgets {
		if budget.OnStoreError == FailClosed && budget.Hard {
			admission.Findings = append([]Finding{plan.storeRefuses(place, reason, false)}, asked.warnings...)
			break
		}
	}
	held := &Held{ID: asked.ID, Plan: plan, Amounts: asked.Amounts.Reserved, Expires: asked.Expires}
	if admission.Findings == nil {
		if place := e.outage.take(held); place >= 0 {
			admission.Findings = append([]Finding{plan.storeRefuses(place, reason, true)}, asked.warnings...)
		}
	}
	if admission.Findings != nil {
		if wasAsked {
			e.outage.owe(owed{id: asked.ID, legs: plan.Legs, actuals: make([]int64, len(plan.Legs)), release: true})
		}
		return admission
	}
	admission.Held, admission.Findings = held, asked.warnings
	for place := range plan.Budgets {
		admission.Findings = append(admission.Findings, plan.storeWarns(place, reason))
	}
	return admission
}

// Owed is how many ends of calls the store has yet to be told of.
func (e *Engine) Owed() int { return e.outage.count() }
