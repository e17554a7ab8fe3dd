package policyprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/policy"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// stamp writes a decision down as an SDK does. What rules would have done to the request is left out: nothing was.
func (t *told) stamp(decision *policy.Decision) {
	t.attributes.EnsureCapacity(t.attributes.Len() + size(decision))
	putDecision(t.attributes, decision)
	if decision.Version != "" {
		t.attributes.PutStr(semconv.GenopsPolicyVersion, decision.Version)
	}
	putTexts(t.attributes, semconv.GenopsPolicyShadow, decision.Shadow)
	putTexts(t.attributes, semconv.GenopsPolicyErrors, decision.Errors)
	putTexts(t.attributes, semconv.GenopsPolicyExceptions, decision.Exceptions)
	if !t.isSpan {
		return
	}
	event := t.span.Events().AppendEmpty()
	event.SetName(semconv.EventPolicyEvaluated)
	event.SetTimestamp(t.ended) // the first moment at which it could be decided
	event.Attributes().EnsureCapacity(result(decision))
	putDecision(event.Attributes(), decision)
}

// result is how many attributes the result and its reason take.
func result(decision *policy.Decision) int {
	switch len(decision.Violations) {
	case 0:
		return 1
	case 1:
		return 4
	}
	return 5
}

// size is how many attributes a decision takes, with the route where there is one.
func size(decision *policy.Decision) int {
	made := result(decision) + 2
	for _, texts := range [][]string{decision.Shadow, decision.Errors, decision.Exceptions} {
		if len(texts) > 0 {
			made++
		}
	}
	return made
}

func putDecision(attributes pcommon.Map, decision *policy.Decision) {
	attributes.PutStr(semconv.GenopsPolicyResult, decision.Result())
	if len(decision.Violations) == 0 {
		return
	}
	first := &decision.Violations[0]
	attributes.PutStr(semconv.GenopsPolicyReasonCode, first.ReasonCode)
	attributes.PutStr(semconv.GenopsPolicyName, first.Rule)
	attributes.PutStr(semconv.GenopsPolicyReason, first.Message)
	if len(decision.Violations) > 1 {
		putTexts(attributes, semconv.GenopsPolicyRulesViolated, decision.Rules())
	}
}

func putTexts(attributes pcommon.Map, name string, texts []string) {
	if len(texts) == 0 {
		return
	}
	into := attributes.PutEmptySlice(name)
	into.EnsureCapacity(len(texts))
	for _, text := range texts {
		into.AppendEmpty().SetStr(text)
	}
}
