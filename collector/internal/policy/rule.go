package policy

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/cases"

	"github.com/genops-ai/genops/collector/internal/suggest"
)

// What becomes of a true condition: the decision; a warning in its place; nothing but a note.
const (
	enforce = "enforce"
	warn    = "warn"
	shadow  = "shadow"
)

// What follows when a condition cannot be decided; `warn` is the third.
const (
	block = "block"
	allow = "allow"
)

const (
	approvalRequired = "x_approval_required"
	ruleError        = "x_policy_error"
)

// Those of the closed set of the specification that a rule of the user's own can mean.
var reasonCodes = []string{"POLICY_DENY_MODEL", "POLICY_DENY_REGION", "POLICY_DENY_CONTENT", "RATE_LIMITED", "BUDGET_EXCEEDED"}

var extensionCode = regexp.MustCompile(`^x_[a-z0-9_]+$`)

// Rule is one condition, true of the calls that the rule is against. Texts that are not stated are empty.
type Rule struct {
	Name        string
	Description string
	Match       Match
	Decision    string
	ReasonCode  string
	Mode        string
	OnError     string
	OnUnknown   string
	Message     string
	Fix         string
	RetryAfter  int64 // seconds
	Actions     *Actions
	Approval    bool
	Source      string

	condition *condition
	tells     bool // a text of the rule names a fact of the single call
}

// validate names the first thing about the rule that cannot be meant.
func (r *Rule) validate() error {
	code := r.ReasonCode
	switch {
	case code != "" && !slices.Contains(reasonCodes, code) && !extensionCode.MatchString(code):
		return r.fault("reason_code is "+quote(code)+"."+suggest.DidYouMean(code, reasonCodes),
			"use "+strings.Join(reasonCodes, ", ")+", or a code of your own: x_lower_case")
	case code != "" && r.Decision == Allowed:
		return r.fault("a rule that decides ALLOWED has no reason_code.", "remove reason_code")
	case r.Decision == Allowed && r.Actions == nil:
		return r.fault("a rule that decides ALLOWED and does nothing is no rule.", "decision: WARNING")
	case r.Actions != nil && r.Decision != Allowed && r.Decision != Warning:
		return r.fault("a call that is "+r.Decision+" is not sent, so nothing can be done to it.",
			"decision: ALLOWED or WARNING, or remove actions")
	case r.Approval && r.Decision != Blocked:
		return r.fault("approval is for rules that decide BLOCKED.", "decision: BLOCKED")
	case r.RetryAfter != 0 && r.Decision != RateLimited:
		return r.fault("retry_after is for rules that decide RATE_LIMITED.", "decision: RATE_LIMITED")
	}
	if err := r.validateText("message", r.Message); err != nil {
		return err
	}
	return r.validateText("fix", r.Fix)
}

func (r *Rule) validateText(key, text string) error {
	parts, err := fields(text)
	if err != nil {
		return r.fault(key+": "+err.Error()+".", "write {{ and }} for braces, {model} for the model")
	}
	for _, part := range parts {
		switch {
		case !part.is:
		case !slices.Contains(messageNames, part.name):
			return r.fault(key+" names {"+part.name+"}."+suggest.DidYouMean(part.name, messageNames),
				"use {"+strings.Join(messageNames, "}, {")+"}")
		case part.form:
			return r.fault(key+" says how to write {"+part.name+"}, which is not read.", "write {"+part.name+"}")
		}
	}
	return nil
}

func (r *Rule) fault(message, fix string) error {
	return &Error{Place: r.Source, Message: "rule " + quote(r.Name) + ": " + message, Fix: fix}
}

// code is the reason code of a violation.
func (r *Rule) code() string {
	switch {
	case r.ReasonCode != "":
		return r.ReasonCode
	case r.Approval:
		return approvalRequired
	case r.Decision == RateLimited:
		return RateLimited
	}
	return "x_" + strings.Trim(notInCode.ReplaceAllString(cases.Fold().String(r.Name), "_"), "_")
}

var notInCode = regexp.MustCompile(`[^a-z0-9]+`)

// on is what to do in case of trouble: as stated, else as strict as the rule is.
func (r *Rule) on(stated string) string {
	switch {
	case stated != "":
		return stated
	case r.Mode == enforce && (r.Decision == Blocked || r.Decision == RateLimited):
		return block
	}
	return warn
}

// textInputs are the inputs that the messages of the rule name.
func (r *Rule) textInputs() []int {
	var found []int
	for _, text := range []string{r.Message, r.Fix} {
		parts, _ := fields(text)
		for _, part := range parts {
			if part.is {
				found = append(found, Number(part.name))
			}
		}
	}
	if r.Approval {
		found = append(found, numbers["team"])
	}
	return found
}

// Exemption is a signed, time-boxed permission to break one rule. An approval is one, too.
type Exemption struct {
	ID        string
	Rule      string
	Owner     string
	Reason    string
	Expires   time.Time
	Match     Match
	Signature string
	Source    string
}

// RuleTest is a call and what the rules are expected to say to it. What is not stated is not looked at.
type RuleTest struct {
	Name       string
	Given      map[string]any
	Decision   string
	HasRules   bool
	Rules      []string
	ReasonCode string
	Actions    *Actions
	Source     string
}
