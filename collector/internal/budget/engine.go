package budget

import (
	"context"
	"errors"
	"math"
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
