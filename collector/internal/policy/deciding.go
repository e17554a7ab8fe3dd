package policy

import (
	"fmt"
	"time"
)

// decided makes the decision out of what was found.
func (s *Scope) decided(found []finding, facts Facts, at time.Time) Decision {
	made := Decision{Version: s.set.Version}
	for _, each := range found {
		rule := each.rule
		exempt := s.exempt(rule, at)
		switch {
		case each.trouble != "":
			made.Errors = append(made.Errors, rule.Name+": "+each.trouble)
			made.addTrouble(&each)
		case exempt != nil:
			made.Exceptions = append(made.Exceptions, rule.Name+": "+exempt.ID)
		case rule.Mode == shadow:
			made.Shadow = append(made.Shadow, rule.Name+": "+rule.Decision)
		default:
			if rule.Actions != nil && rule.Mode == enforce {
				made.Actions = made.Actions.withMore(rule.Actions)
			}
			made.addViolation(rule, facts)
		}
	}
	made.order()
	return made
}

// exempt is the last permission to break a rule at a time.
func (s *Scope) exempt(rule *Rule, at time.Time) *Exemption {
	for i := len(s.exemptions) - 1; i >= 0; i-- {
		if each := s.exemptions[i]; each.Rule == rule.Name && at.Before(each.Expires) {
			return each
		}
	}
	return nil
}

// addViolation adds that of a rule that is true of a call; none for one that only acts.
func (d *Decision) addViolation(rule *Rule, facts Facts) {
	result := rule.Decision
	if rule.Mode == warn {
		result = Warning
	}
	if result == Allowed {
		return
	}
	message := filled(rule.Message, facts)
	if rule.Message != "" {
		message = "rule " + quote(rule.Name) + ": " + message
	} else {
		verb := "refuses"
		if result == Warning {
			verb = "warns of"
		}
		message = "rule " + quote(rule.Name) + " " + verb + " " + firstOf(rule.Description, "this call: "+rule.condition.text)
	}
	d.Violations = append(d.Violations, Violation{
		Rule: rule.Name, ReasonCode: rule.code(), Message: message, Fix: rule.fix(facts), Result: result,
		RetryAfter: rule.RetryAfter,
	})
}

func (r *Rule) fix(facts Facts) string {
	if r.Approval {
		team := "None"
		if fact := facts.Fact(numbers["team"]); fact != nil {
			team = word("team", fact)
		}
		return fmt.Sprintf("have it approved: genops policy approve %s --match team=%s --owner NAME --expires 8h --key KEYFILE; "+
			"then call again", r.Name, team)
	}
	if said := filled(r.Fix, facts); said != "" {
		return fmt.Sprintf("%s; or change rule %s (%s)", said, quote(r.Name), r.Source)
	}
	return "change the call, or " + r.Source
}

func (d *Decision) addTrouble(found *finding) {
	rule, key, stated := found.rule, "on_error", found.rule.OnError
	fix := "correct the condition, or set `on_error: warn`"
	if found.unknown {
		key, stated, fix = "on_unknown", rule.OnUnknown, "test has_..., or set `on_unknown: allow`"
	}
	choice := rule.on(stated)
	if choice == allow || rule.Mode == shadow {
		return
	}
	result := Warning
	if choice == block {
		result = Blocked
	}
	d.Violations = append(d.Violations, Violation{
		Rule: rule.Name, ReasonCode: ruleError, Result: result,
		Message: fmt.Sprintf("rule %s could not be decided: %s (%s is %s)", quote(rule.Name), found.trouble, key, choice),
		Fix:     fix + " in " + rule.Source,
	})
}
