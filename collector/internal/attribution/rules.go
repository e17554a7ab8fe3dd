package attribution

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/genops-ai/genops/collector/internal/suggest"
)

// Rule is what one field must be.
type Rule struct {
	// Required is whether a call without the field breaks the rule.
	Required bool `mapstructure:"required" yaml:"required"`
	// Allowed are the only values, compared with case; empty for any.
	Allowed []string `mapstructure:"allowed" yaml:"allowed"`
	// Pattern is a regular expression that the whole value must match.
	Pattern string `mapstructure:"pattern" yaml:"pattern"`
	// Mode is `warn` (the default) or `block`; a Collector cannot block, it says what should have been.
	Mode string `mapstructure:"mode" yaml:"mode"`
}

// Rules are compiled rules by field.
type Rules struct {
	rules    [count]*Rule
	patterns [count]*regexp.Regexp
}

// Broken is one rule that an attribution breaks.
type Broken struct {
	Field    string
	Message  string
	Blocking bool
}

// NewRules compiles rules by the name of their field. The error says what to write.
func NewRules(given map[string]Rule) (*Rules, error) {
	made := &Rules{}
	for name, rule := range given {
		field := Field(name)
		if field < 0 {
			return nil, fmt.Errorf("a rule for the unknown attribute '%s'.%s  fix: use one of %s", name,
				suggest.DidYouMean(name, Fields[:]), strings.Join(Fields[:], ", "))
		}
		if rule.Mode != "" && rule.Mode != "warn" && rule.Mode != "block" {
			return nil, fmt.Errorf("%s: mode is '%s'.  fix: use warn or block", name, rule.Mode)
		}
		made.rules[field] = &rule
		if rule.Pattern == "" {
			continue
		}
		pattern, err := regexp.Compile(`\A(?:` + rule.Pattern + `)\z`)
		if err != nil {
			return nil, fmt.Errorf("%s: '%s' is no regular expression: %w", name, rule.Pattern, err)
		}
		made.patterns[field] = pattern
	}
	return made, nil
}

// Check is every rule that an attribution breaks, in the order of the fields.
func (r *Rules) Check(given *Attribution) []Broken {
	var found []Broken
	for field, rule := range r.rules {
		if rule == nil {
			continue
		}
		if message := r.problem(field, rule, given[field]); message != "" {
			found = append(found, Broken{Fields[field], message, rule.Mode == "block"})
		}
	}
	return found
}

func (r *Rules) problem(field int, rule *Rule, value string) string {
	name := Fields[field]
	switch {
	case value == "" && rule.Required:
		return name + " is required and not set."
	case value == "":
		return ""
	case len(rule.Allowed) > 0 && !slices.Contains(rule.Allowed, value):
		return fmt.Sprintf("%s is '%s', allowed: %s.%s", name, value, strings.Join(rule.Allowed, ", "),
			suggest.DidYouMean(value, rule.Allowed))
	case r.patterns[field] != nil && !r.patterns[field].MatchString(value):
		return fmt.Sprintf("%s is '%s', which does not match the pattern '%s'.", name, value, rule.Pattern)
	}
	return ""
}
