package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"cel.dev/cel-go/common/types/ref"
)

// Set is the rules of all policy files. It is safe for concurrent use.
type Set struct {
	Rules      []*Rule
	Exemptions []*Exemption
	Version    string

	flags map[string]bool
	keyed []int // the inputs that tell kinds of calls apart: those that some rule looks at
}

// NewSet puts rules together; exemptions are valid signatures only. The error is an *Error.
func NewSet(rules []*Rule, exemptions []*Exemption, flags map[string]bool) (*Set, error) {
	seen := map[string]*Rule{}
	var names []string
	for _, rule := range rules {
		if first := seen[rule.Name]; first != nil {
			return nil, &Error{
				Place: rule.Source, Message: fmt.Sprintf("rule %s is there already (%s).", quote(rule.Name), first.Source),
				Fix: "give each rule a name of its own",
			}
		}
		seen[rule.Name] = rule
		names = append(names, rule.Name)
	}
	slices.Sort(names)
	for _, each := range exemptions {
		if seen[each.Rule] == nil {
			return nil, &Error{
				Place:   each.Source,
				Message: fmt.Sprintf("exception %s is from rule %s, which is not there.", quote(each.ID), quote(each.Rule)),
				Fix:     "rule: one of " + firstOf(strings.Join(names, ", "), "the rules, of which there are none"),
			}
		}
	}
	made := &Set{Rules: rules, Exemptions: exemptions, flags: flags}
	made.Version = version(rules, exemptions, flags)
	made.keyed = made.inputs()
	return made, nil
}

// inputs are the static inputs that anything in the set looks at.
func (s *Set) inputs() []int {
	var used []int
	for _, rule := range s.Rules {
		used = append(used, rule.condition.reads...)
		used = append(used, rule.condition.asks...)
		used = append(used, rule.textInputs()...)
		used = append(used, rule.Match.numbers()...)
	}
	for _, each := range s.Exemptions {
		used = append(used, each.Match.numbers()...)
	}
	slices.Sort(used)
	used = slices.Compact(used)
	return slices.DeleteFunc(used, func(number int) bool {
		return table.Inputs[number].Dynamic || number == numbers["flags"]
	})
}

func (m *Match) numbers() []int {
	var found []int
	for _, key := range m.keys {
		found = append(found, numbers[key])
	}
	return found
}

// Keyed are the static inputs that tell kinds of calls apart for this set, by number. Facts of other static inputs make
// no difference.
func (s *Set) Keyed() []int { return s.keyed }

// finding is a rule whose condition is true, or could not be decided: trouble says why.
type finding struct {
	place   int
	rule    *Rule
	trouble string
	unknown bool // the trouble is a fact that nobody stated
}

// Scope is what the rules say to calls of one kind for one payer.
type Scope struct {
	set        *Set
	static     Known
	values     [mostInputs]ref.Val
	settled    []finding
	open       []int // the rules that look at facts of the single call
	exemptions []*Exemption
	decision   *Decision // if nothing about a call can change it
	last       atomic.Pointer[remembered]
}

// remembered is a decision and what of a call it was made of: calls of a kind are mostly found the same.
type remembered struct {
	found    []finding
	decision *Decision
}

// Scope decides what depends only on the static inputs.
func (s *Set) Scope(static *Known) *Scope {
	made := &Scope{set: s, static: *static}
	made.static.Set("flags", s.flags)
	for number, input := range table.Inputs {
		if input.Dynamic {
			made.static[number] = nil
		}
		made.values[number] = valueOf(made.static[number])
	}
	bound := bind(made, nil)
	defer bound.done()
	for place, rule := range s.Rules {
		switch {
		case !rule.Match.matches(&made.static):
		case rule.condition.dynamic():
			made.open = append(made.open, place)
		default:
			made.settled = bound.decide(made.settled, place, rule)
		}
	}
	for _, each := range s.Exemptions {
		if each.Match.matches(&made.static) {
			made.exemptions = append(made.exemptions, each)
		}
	}
	if made.lasts(made.settled) {
		decided := made.decided(made.settled, &made.static, time.Time{})
		made.decision = &decided
	}
	return made
}

// lasts is whether a decision made of what was found holds for every call that is found the same: no exception ends, and
// no message tells of the single call.
func (s *Scope) lasts(found []finding) bool {
	return len(s.exemptions) == 0 && !slices.ContainsFunc(found, func(each finding) bool { return each.rule.tells })
}

// Settled is the decision on calls about which nothing else is found; nil where that depends on the call.
func (s *Scope) Settled() *Decision { return s.decision }

// Decide is the decision on one call at a time. dynamic gives its dynamic inputs, and is asked for those that are read.
func (s *Scope) Decide(dynamic Facts, at time.Time) *Decision {
	bound := bind(s, dynamic)
	defer bound.done()
	found := bound.findings()
	if len(found) == 0 && s.decision != nil {
		return s.decision
	}
	if last := s.last.Load(); last != nil && slices.Equal(last.found, found) {
		return last.decision
	}
	all := s.withSettled(found)
	made := s.decided(all, both{s, dynamic}, at)
	if s.lasts(all) {
		s.last.Store(&remembered{slices.Clone(found), &made})
	}
	return &made
}

// findings are those of the rules that look at facts of the single call.
func (b *bindings) findings() []finding {
	for _, place := range b.scope.open {
		b.found = b.decide(b.found, place, b.scope.set.Rules[place])
	}
	return b.found
}

// withSettled are the findings about a call with those that its kind has, in the order of the files.
func (s *Scope) withSettled(found []finding) []finding {
	all := slices.Concat(found, s.settled)
	slices.SortFunc(all, func(a, b finding) int { return a.place - b.place })
	return all
}

// both are the facts of one call: the static ones of its scope, and its own.
type both struct {
	scope   *Scope
	dynamic Facts
}

func (b both) Fact(number int) any {
	if table.Inputs[number].Dynamic {
		return b.dynamic.Fact(number)
	}
	return b.scope.static[number]
}

// decide appends what is found about one rule, if anything is.
func (b *bindings) decide(found []finding, place int, rule *Rule) []finding {
	holds, err := rule.condition.holds(b)
	switch {
	case err == nil && holds:
		return append(found, finding{place: place, rule: rule})
	case err == nil:
		return found
	}
	if trouble := b.unknown(rule.condition.reads); trouble != "" {
		return append(found, finding{place, rule, trouble, true})
	}
	return append(found, finding{place: place, rule: rule, trouble: said(err)})
}

// unknown says which of the inputs are not known; nothing if all are.
func (b *bindings) unknown(reads []int) string {
	missing := make([]int, 0, mostInputs)
	for _, number := range reads {
		if b.fact(number) == nil {
			missing = append(missing, number)
		}
	}
	switch len(missing) {
	case 0:
		return ""
	case 1:
		return notKnown[missing[0]]
	}
	var names []string
	for _, number := range missing {
		names = append(names, table.Inputs[number].Name)
	}
	slices.Sort(names)
	return strings.Join(names, " and ") + " is not known"
}

// notKnown says of each input that it is not known.
var notKnown = func() (made []string) {
	for _, name := range inputNames {
		made = append(made, name+" is not known")
	}
	return made
}()
