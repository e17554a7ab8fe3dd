// Package redaction finds personal data and secrets in text and replaces them, as genops.core.redaction does in Python.
//
// The rules are data (spec/redaction); both read the same file, and the vectors in spec/vectors/redaction hold both to
// the same finds. Time is linear in the text, and a text without finds costs no memory.
package redaction

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/genops-ai/genops/collector/internal/data"
	"github.com/genops-ai/genops/collector/internal/suggest"
)

// Rule is one thing to look for. The fields are those of spec/redaction/README.md.
type Rule struct {
	ID       string   `json:"id"`
	Entity   string   `json:"entity"`
	Pattern  string   `json:"pattern"`
	Group    int      `json:"group"`
	Boundary string   `json:"boundary"`
	Validate string   `json:"validate"`
	Min      float64  `json:"min"`
	Near     []string `json:"near"`
	Unless   []string `json:"unless"`
	Rank     int      `json:"rank"`
}

// Kinds of entities: whose harm it is when a find gets out.
const (
	Personal = "personal"
	Secret   = "secret"
)

const specific = 3 // the rank of a rule that recognises a form of its own

// rules are the rules that ship with GenOps, and the kind of each entity.
type rules struct {
	Version  string            `json:"version"`
	Entities map[string]string `json:"entities"`
	Rules    []Rule            `json:"rules"`
}

func shipped() rules {
	var read rules
	if err := json.Unmarshal(data.RedactionRules, &read); err != nil {
		panic("genops: redaction_rules.json of this build is broken: " + err.Error())
	}
	return read
}

// Entities are what the rules that ship with GenOps find.
func Entities() []string { return slices.Sorted(maps.Keys(shipped().Entities)) }

// extended adds rules of the user's own, which may bring entities of their own.
func (r *rules) extended(custom []Rule) error {
	for _, rule := range custom {
		if slices.ContainsFunc(r.Rules, func(other Rule) bool { return other.ID == rule.ID }) {
			return fmt.Errorf("the redaction rule '%s' exists already.  fix: give your pattern another name", rule.ID)
		}
		if err := known(rule.ID, "boundary", rule.Boundary, slices.Collect(maps.Keys(boundaries))); err != nil {
			return err
		}
		if err := known(rule.ID, "validator", rule.Validate, slices.Collect(maps.Keys(validators))); err != nil {
			return err
		}
		if _, ok := r.Entities[rule.Entity]; !ok {
			r.Entities[rule.Entity] = Personal
		}
		rule.Rank = specific
		r.Rules = append(r.Rules, rule)
	}
	return nil
}

func known(id, what, name string, all []string) error {
	if name == "" || slices.Contains(all, name) {
		return nil
	}
	slices.Sort(all)
	return fmt.Errorf("redaction rule '%s': there is no %s '%s'.%s  fix: use one of %s", id, what, name,
		suggest.DidYouMean(name, all), strings.Join(all, ", "))
}

// compiled is a rule, ready to run.
type compiled struct {
	*Rule
	facts
	index    int
	kind     string
	whole    *automaton
	back     *automaton // reads backwards; for patterns whose matches have no longest length
	parts    *groups    // where the find is a part of the match
	boundary boundary
	validate validator
	near     *announcers
	unless   *announcers
}

// longestAnchored is the length of a match from which on a text is walked once for all starts, not once for each.
const longestAnchored = 4096

func compile(rule *Rule, kind string) (*compiled, error) {
	re, err := syntax.Parse(rule.Pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("the pattern of the redaction rule '%s' is not RE2: %w.  fix: write it without look-around "+
			"and back-references, see https://github.com/google/re2/wiki/Syntax", rule.ID, err)
	}
	if rule.Group > re.MaxCap() || rule.Group < 0 {
		return nil, fmt.Errorf("the redaction rule '%s' has no group %d.  fix: put the find in parentheses", rule.ID, rule.Group)
	}
	made := &compiled{Rule: rule, kind: kind, facts: factsOf(re)}
	made.boundary, made.validate = boundaries[rule.Boundary], validators[rule.Validate]
	made.near, made.unless = newAnnouncers(rule.Near), newAnnouncers(rule.Unless)
	if err := made.automata(re); err != nil {
		return nil, fmt.Errorf("the pattern of the redaction rule '%s' cannot be run: %w.  fix: write a shorter one", rule.ID, err)
	}
	return made, nil
}

func (c *compiled) automata(re *syntax.Regexp) (err error) {
	if c.Group > 0 {
		if c.parts, err = newGroups(re, c.Pattern, c.Group); err != nil {
			return err
		}
	}
	if c.most >= 0 && c.most <= longestAnchored {
		c.whole, err = newAutomaton(re, false)
		return err
	}
	if c.back, err = newAutomaton(reversed(re), true); err != nil {
		return err
	}
	anywhere, err := syntax.Parse("(?s:.*?)(?:"+c.Pattern+")", syntax.Perl)
	if err != nil {
		return err
	}
	c.whole, err = newAutomaton(anywhere, false)
	return err
}
