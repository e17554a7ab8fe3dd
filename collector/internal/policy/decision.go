package policy

import (
	"fmt"
	"slices"
	"strings"
)

// The results of a decision. The set is complete.
const (
	Allowed     = "ALLOWED"
	Warning     = "WARNING"
	RateLimited = "RATE_LIMITED"
	Blocked     = "BLOCKED"
)

// Results are all results, as policy files have them.
var Results = []string{Allowed, Warning, Blocked, RateLimited}

var severity = map[string]int{Allowed: 0, Warning: 1, RateLimited: 2, Blocked: 3}

// Violation is one rule that a call breaks.
type Violation struct {
	Rule       string
	ReasonCode string
	Message    string
	Fix        string
	Result     string
	RetryAfter int64 // seconds; of RATE_LIMITED, 0 for none
}

// Actions are what rules do to a call instead of refusing it. After a call, nothing can be done to it: a Collector reads
// them and does none.
type Actions struct {
	Reroute         string
	MaxOutputTokens int64 // 0 for no limit
	Redact          []string
}

// withMore is both: the first model, the lower limit, everything that either redacts.
func (a *Actions) withMore(other *Actions) *Actions {
	if a == nil {
		return other
	}
	made := &Actions{Reroute: a.Reroute, MaxOutputTokens: a.MaxOutputTokens, Redact: slices.Clone(a.Redact)}
	if made.Reroute == "" {
		made.Reroute = other.Reroute
	}
	if made.MaxOutputTokens == 0 || (other.MaxOutputTokens != 0 && other.MaxOutputTokens < made.MaxOutputTokens) {
		made.MaxOutputTokens = other.MaxOutputTokens
	}
	for _, each := range other.Redact {
		if !slices.Contains(made.Redact, each) {
			made.Redact = append(made.Redact, each)
		}
	}
	return made
}

// Described are the actions as telemetry shows them: reroute=gpt-4o-mini.
func (a *Actions) Described() []string {
	var found []string
	if a == nil {
		return nil
	}
	if a.Reroute != "" {
		found = append(found, "reroute="+a.Reroute)
	}
	if a.MaxOutputTokens != 0 {
		found = append(found, fmt.Sprintf("max_output_tokens=%d", a.MaxOutputTokens))
	}
	if len(a.Redact) > 0 {
		found = append(found, "redact="+strings.Join(a.Redact, ","))
	}
	return found
}

// Decision is the answer to one call. The first of Violations is the most severe and gives the answer its reason.
type Decision struct {
	Violations []Violation
	Version    string   // of the policy files; "" without any
	Shadow     []string // broken rules that are only being watched
	Errors     []string // rules that could not be decided
	Exceptions []string // broken rules that the call is excepted from
	Actions    *Actions
}

// order puts the most severe violation first; among equals, the one found first.
func (d *Decision) order() {
	slices.SortStableFunc(d.Violations, func(a, b Violation) int { return severity[b.Result] - severity[a.Result] })
}

// Result is what the most severe violation says.
func (d *Decision) Result() string {
	if len(d.Violations) == 0 {
		return Allowed
	}
	return d.Violations[0].Result
}

// Rules are the names of all rules that the call breaks, the deciding one first.
func (d *Decision) Rules() []string {
	var found []string
	for i := range d.Violations {
		if !slices.Contains(found, d.Violations[i].Rule) {
			found = append(found, d.Violations[i].Rule)
		}
	}
	return found
}

// After is the decision with violations that were found before the rules were asked.
func (d *Decision) After(found []Violation) *Decision {
	made := *d
	made.Violations = append(slices.Clone(found), d.Violations...)
	made.order()
	return &made
}
