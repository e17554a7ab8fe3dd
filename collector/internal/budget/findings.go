package budget

import (
	"fmt"
	"strings"
	"time"
)

// The results of a decision.
const (
	Allowed     = "ALLOWED"
	Blocked     = "BLOCKED"
	Warning     = "WARNING"
	RateLimited = "RATE_LIMITED"
)

// The reason codes. The closed set of the specification has none for what is let through: those are extensions.
const (
	Exceeded         = "BUDGET_EXCEEDED"
	NotReserved      = "BUDGET_RESERVATION_FAILED"
	SoftLimit        = "x_budget_soft_limit"
	Unpriced         = "x_budget_unpriced"
	StoreUnavailable = "x_budget_store_unavailable"
	OnAllowance      = "x_budget_local_allowance"
)

// Finding is what a budget says to a call, in the words of the Python SDK.
type Finding struct {
	Result  string
	Code    string
	Rule    string // the name of the budget
	Message string
	Fix     string
}

// Refuses is whether the call must not be made.
func (f *Finding) Refuses() bool { return f.Result == Blocked || f.Result == RateLimited }

func (p *Plan) finding(place int, result, code, found, fix string) Finding {
	budget := p.Budgets[place]
	var group []string
	for i, field := range budget.groupBy {
		value := p.Groups[place][i]
		if value == "" {
			value = "(none)"
		}
		group = append(group, field+"="+value)
	}
	what, whose, verb := "budget", "", "warns"
	if budget.Rate {
		what = "rate limit"
	}
	if len(group) > 0 {
		whose = " for " + strings.Join(group, ", ")
	}
	switch result {
	case Blocked:
		verb = "refuses the call"
	case RateLimited:
		verb = "holds the call up"
	}
	message := fmt.Sprintf("%s '%s'%s %s: %s", what, budget.Name, whose, verb, found)
	return Finding{result, code, budget.Name, message, fix}
}

// refusal is that of a call that a hard budget has no room for.
func (p *Plan) refusal(answer *Refused, wanted int64) Finding {
	budget := p.Budgets[answer.Place]
	remaining := answer.Limit - answer.Used
	found := fmt.Sprintf("%s %s of %s %s left%s; the call may take %s %s", readable(max(0, remaining), budget.Unit),
		budget.Unit, readable(budget.Limit, budget.Unit), budget.Unit, p.until(answer.Place),
		readable(wanted, budget.Unit), budget.Unit)
	fix := fmt.Sprintf("raise limit of budget '%s' (%s)", budget.Name, budget.Source)
	switch {
	case budget.Rate:
		if answer.RetryAfterS >= 0 {
			fix = fmt.Sprintf("wait %.1f s and try again, or %s", answer.RetryAfterS, fix)
		}
		return p.finding(answer.Place, RateLimited, RateLimited, found, fix)
	case remaining <= 0:
		return p.finding(answer.Place, Blocked, Exceeded, found, fix+", or wait for its next window")
	case budget.Unit != Requests:
		fix = "lower the output limit (max_tokens), send less, or " + fix
	}
	return p.finding(answer.Place, Blocked, NotReserved, found, fix)
}

func (p *Plan) softLimit(place int) Finding {
	budget := p.Budgets[place]
	found := fmt.Sprintf("its limit of %s %s%s is passed", readable(budget.Limit, budget.Unit), budget.Unit, p.until(place))
	fix := fmt.Sprintf("raise limit of budget '%s' (%s), or spend less", budget.Name, budget.Source)
	return p.finding(place, Warning, SoftLimit, found, fix)
}

// unpriced is what is said to a call whose amount nobody knows.
func (p *Plan) unpriced(place int) Finding {
	budget := p.Budgets[place]
	found := fmt.Sprintf("a call that may take nobody knows how much: there is no %s price for it", budget.Unit)
	fix := fmt.Sprintf("state the amount, give the model a rate under custom_rates, or set on_unpriced of budget '%s' (%s) "+
		"to warn or to a flat amount", budget.Name, budget.Source)
	if budget.OnUnpriced == Block && budget.Hard {
		return p.finding(place, Blocked, NotReserved, found, fix)
	}
	return p.finding(place, Warning, Unpriced, found, fix)
}

// storeRefuses is the refusal of a call while the store does not answer.
func (p *Plan) storeRefuses(place int, reason string, usedUp bool) Finding {
	budget := p.Budgets[place]
	found := fmt.Sprintf("a budget store that does not answer (%s)", reason)
	if usedUp {
		found += fmt.Sprintf(", and a local allowance of %s %s that is used up", readable(budget.Slice, budget.Unit), budget.Unit)
	}
	fix := fmt.Sprintf("bring the store back, or change on_store_error of budget '%s' (%s)", budget.Name, budget.Source)
	return p.finding(place, Blocked, NotReserved, found, fix)
}

// storeWarns is the warning for a call let through while the store does not answer.
func (p *Plan) storeWarns(place int, reason string) Finding {
	budget := p.Budgets[place]
	how, code := "uncounted for now", StoreUnavailable
	if budget.OnStoreError == LocalAllowance {
		how, code = "on the local allowance of this process", OnAllowance
	}
	found := fmt.Sprintf("a budget store that does not answer (%s); the call goes on %s", reason, how)
	fix := fmt.Sprintf("bring the store back; on_store_error of budget '%s' is set in %s", budget.Name, budget.Source)
	return p.finding(place, Warning, code, found, fix)
}

func (p *Plan) until(place int) string {
	if !p.Legs[place].HasEnd {
		return ""
	}
	return " until " + time.Unix(p.Legs[place].End, 0).UTC().Format(time.RFC3339)
}

// readable is an amount with commas between thousands: 20,000.5.
func readable(counted int64, unit string) string {
	whole, rest, point := strings.Cut(AmountOf(counted, unit), ".")
	for at := len(whole) - 3; at > 0 && whole[at-1] != '-'; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if point {
		return whole + "." + rest
	}
	return whole
}
