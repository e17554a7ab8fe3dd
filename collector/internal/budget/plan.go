package budget

import (
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/pricing"
)

const (
	mostPlans = 10_000 // about 20 MB; beyond it they are worked out anew
	unknown   = -1     // of an amount that nobody knows
)

// Call is a call as budgets see it: whose it is, and the most it can take. What is not known of that is below 0. Costs are
// in nano-units of Currency; InputCost is the part that does not depend on the output.
type Call struct {
	Attribution  attribution.Attribution
	Tags         map[string]string
	Provider     string
	Model        string
	Operation    string
	InputTokens  int64
	OutputTokens int64
	Cost         int64
	InputCost    int64
	Currency     string
	ComputeMs    int64 // below 0 if not known
	Reducible    bool  // whether the output limit of the request may be lowered
}

// Used is what a call used. What is not known is below 0.
type Used struct {
	Cost      int64 // nano-units of Currency
	Currency  string
	Tokens    int64
	ComputeMs int64
}

// Nothing is what a call used of which nothing is known.
var Nothing = Used{Cost: unknown, Tokens: unknown, ComputeMs: unknown}

// Leg is one counter that a reservation stands on: one budget, one group, one window. Amounts are counted units. Also
// are the keys of the older buckets of a rolling window.
type Leg struct {
	Key        string   `json:"k"`
	Unit       string   `json:"u"`
	Limit      int64    `json:"-"`
	Hard       bool     `json:"-"`
	Thresholds []int64  `json:"t,omitempty"` // amounts at which an alert is given
	Also       []string `json:"o,omitempty"`
	End        int64    `json:"e,omitempty"` // UTC seconds
	HasEnd     bool     `json:"h,omitempty"`
}

// Plan is the legs of one kind of call while none of its windows ends, in the order of the budgets.
type Plan struct {
	Legs    []Leg
	Budgets []*Budget
	Groups  [][]string // values of the fields that each budget is grouped by
	Spans   []Span

	start, end float64
	texts      texts
	uniform    string // the unit, if it is the same for all
}

// texts are the legs as the Redis scripts have them, made when they are first wanted.
type texts struct {
	once         sync.Once
	legs, limits string
	keys         []string
}

// Planner finds the plan of a call. Plans are kept by what the budgets look at, until one of their windows ends.
type Planner struct {
	budgets []*Budget
	asked   []asked

	mu    sync.RWMutex
	plans map[string]*Plan
}

// asked is a field that some budget looks at.
type asked struct {
	name  string
	field int    // of the attribution; below 0 for what is none
	tag   string // "" for what is no tag
}

// NewPlanner is the planner of budgets.
func NewPlanner(budgets []*Budget) *Planner {
	made := &Planner{budgets: budgets, plans: map[string]*Plan{}}
	names := map[string]bool{}
	for _, budget := range budgets {
		for _, each := range budget.match {
			names[each.field] = true
		}
		for _, field := range budget.groupBy {
			names[field] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		tag := ""
		if len(name) > len(Tag) && name[:len(Tag)] == Tag {
			tag = name[len(Tag):]
		}
		made.asked = append(made.asked, asked{name, attribution.Field(name), tag})
	}
	return made
}

// Tags are the keys of the tags that some budget looks at.
func (p *Planner) Tags() []string {
	var found []string
	for _, each := range p.asked {
		if each.tag != "" {
			found = append(found, each.tag)
		}
	}
	return found
}

// Asks is whether some budget looks at a field of the attribution.
func (p *Planner) Asks(field int) bool {
	return slices.ContainsFunc(p.asked, func(each asked) bool { return each.field == field })
}

func (a *asked) of(call *Call) string {
	switch {
	case a.field >= 0:
		return call.Attribution[a.field]
	case a.tag != "":
		return call.Tags[a.tag]
	case a.name == "provider":
		return call.Provider
	case a.name == "model":
		return call.Model
	}
	return call.Operation
}

var keys = sync.Pool{New: func() any { return new([]byte) }}

// Plan is the legs of a call in the windows of an instant (UTC seconds).
func (p *Planner) Plan(call *Call, now float64) *Plan {
	buffer := keys.Get().(*[]byte)
	key := (*buffer)[:0]
	for i := range p.asked {
		key = append(key, p.asked[i].of(call)...)
		key = append(key, 0)
	}
	*buffer = key
	defer keys.Put(buffer)
	p.mu.RLock()
	found := p.plans[string(key)]
	p.mu.RUnlock()
	if found != nil && found.start <= now && now < found.end {
		return found
	}
	made := p.make(call, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.plans) >= mostPlans {
		clear(p.plans)
	}
	p.plans[string(key)] = made
	return made
}

// Current are the plans that are kept and whose windows run at an instant.
func (p *Planner) Current(now float64) []*Plan {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var found []*Plan
	for _, plan := range p.plans {
		if plan.start <= now && now < plan.end {
			found = append(found, plan)
		}
	}
	return found
}

func (p *Planner) make(call *Call, now float64) *Plan {
	value := func(name string) string {
		for i := range p.asked {
			if p.asked[i].name == name {
				return p.asked[i].of(call)
			}
		}
		return ""
	}
	made := &Plan{start: math.Inf(-1), end: math.Inf(1)}
	for _, budget := range p.budgets {
		if !budget.matches(value) {
			continue
		}
		group := make([]string, len(budget.groupBy))
		for place, field := range budget.groupBy {
			group[place] = strings.Clone(value(field)) // a text of its own: that of a span is part of a whole batch
		}
		made.add(budget, group, budget.Window.At(now))
	}
	return made
}

func (p *Plan) add(budget *Budget, group []string, span Span) {
	leg := Leg{Unit: budget.Unit, Limit: budget.Limit, Hard: budget.Hard, End: span.End, HasEnd: span.HasEnd}
	for place, start := range span.Buckets {
		key := Key(budget.Name, budget.groupBy, group, budget.Window.Series(), start)
		if place == 0 {
			leg.Key = key
		} else {
			leg.Also = append(leg.Also, key)
		}
	}
	for _, percent := range budget.Thresholds {
		leg.Thresholds = append(leg.Thresholds, percentOf(leg.Limit, int64(percent)))
	}
	if len(p.Legs) == 0 {
		p.uniform = budget.Unit
	} else if p.uniform != budget.Unit {
		p.uniform = ""
	}
	p.Budgets = append(p.Budgets, budget)
	p.Groups = append(p.Groups, group)
	p.Spans = append(p.Spans, span)
	p.Legs = append(p.Legs, leg)
	p.start = max(p.start, float64(span.Start))
	if span.HasEnd {
		p.end = min(p.end, float64(span.End))
	}
}

// percentOf is a share of a limit, rounded up. A limit is below 2^53 and a percentage at most 1000.
func percentOf(limit, percent int64) int64 {
	whole, rest := limit/100, limit%100
	return whole*percent + (rest*percent+99)/100
}

// Amounts are what a call takes of each leg, and what each is charged if the call is never heard of again. Unknown are
// the places of legs for which the call has no known amount.
type Amounts struct {
	Reserved []int64
	OnExpiry []int64
	Unknown  []int
}

// Amounts is what a call takes. The adaptive estimator reserves as the strict one does: what calls come to as a rule is
// learned where they are made.
func (p *Plan) Amounts(call *Call) Amounts {
	made := Amounts{Reserved: make([]int64, len(p.Legs)), OnExpiry: make([]int64, len(p.Legs))}
	for place, budget := range p.Budgets {
		amount := call.most(budget.Unit)
		if amount < 0 {
			made.Unknown = append(made.Unknown, place)
			amount = budget.FlatAmount
		}
		made.Reserved[place] = amount
		if budget.Unit != Concurrent {
			made.OnExpiry[place] = amount
		}
	}
	return made
}

// most is the most a call takes of a unit; below 0 if unknown.
func (c *Call) most(unit string) int64 {
	switch unit {
	case Tokens:
		if c.InputTokens < 0 {
			return unknown
		}
		return c.InputTokens + c.OutputTokens
	case Requests, Concurrent:
		return 1
	case ComputeSeconds:
		return c.ComputeMs
	case c.Currency:
		return c.Cost
	}
	return unknown
}

// fixed is the part of most that does not depend on the output.
func (c *Call) fixed(unit string) int64 {
	switch unit {
	case Tokens:
		return max(c.InputTokens, 0)
	case Requests, Concurrent:
		return 1
	case c.Currency:
		return max(c.InputCost, 0)
	}
	return 0
}

// of is what was used of a unit; below 0 if unknown.
func (u *Used) of(unit string) int64 {
	switch unit {
	case Tokens:
		return u.Tokens
	case Requests:
		return 1
	case Concurrent:
		return 0
	case ComputeSeconds:
		return u.ComputeMs
	case u.Currency:
		return u.Cost
	}
	return unknown
}

// Actuals are what each leg is charged for what a call used; where that is unknown, what is reserved.
func (p *Plan) Actuals(used *Used, reserved []int64) []int64 { return Actuals(p.Legs, used, reserved) }

// Actuals are what each leg is charged for what a call used; where that is unknown, what is reserved, nothing if nil.
func Actuals(legs []Leg, used *Used, reserved []int64) []int64 {
	made := make([]int64, len(legs))
	for place := range legs {
		made[place] = used.of(legs[place].Unit)
		if made[place] < 0 {
			made[place] = 0
			if reserved != nil {
				made[place] = reserved[place]
			}
		}
		made[place] = min(made[place], Largest)
	}
	return made
}

// fit is the most output tokens with which a call takes at most what is left of each hard leg; 0 if none do.
func (p *Plan) fit(call *Call, left []int64) int64 {
	fitting := call.OutputTokens
	for place := range p.Legs {
		if !p.Legs[place].Hard {
			continue
		}
		unit := p.Legs[place].Unit
		most, fixed := call.most(unit), call.fixed(unit)
		switch {
		case most < 0 || most <= left[place]:
		case fixed > left[place] || unit == Requests || unit == Concurrent || most <= fixed:
			return 0
		default:
			fitting = min(fitting, mulDiv(left[place]-fixed, call.OutputTokens, most-fixed))
		}
	}
	return max(fitting, 0)
}

// reduced is the call with a lower output limit, and its cost in proportion, rounded up.
func (c Call) reduced(output int64) Call {
	if c.Cost >= 0 {
		fixed := max(c.InputCost, 0)
		c.Cost = fixed + mulDivUp(c.Cost-fixed, output, c.OutputTokens)
	}
	c.OutputTokens = output
	return c
}

// Currency is that of prices.
const Currency = pricing.Currency

// AppendActuals appends what each leg is charged for what a call used; nothing where that is unknown.
func (p *Plan) AppendActuals(into []int64, used *Used) []int64 {
	for place := range p.Legs {
		into = append(into, min(max(used.of(p.Legs[place].Unit), 0), Largest))
	}
	return into
}

// Tightest is the place of the leg with the smallest share of its limit left, and what is left of it.
func (p *Plan) Tightest(used []int64) (place int, left int64) {
	least := math.Inf(1)
	for i := range p.Legs {
		rest := p.Legs[i].Limit - used[i]
		if share := float64(rest) / float64(max(p.Legs[i].Limit, 1)); share < least {
			place, left, least = i, rest, share
		}
	}
	return place, left
}
