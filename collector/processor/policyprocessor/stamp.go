package policyprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/policy"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

const mostAttributes = 8 // that are put on a call

// stamp writes a decision down as an SDK does. What rules would have done to the request is left out: nothing was.
func (t *told) stamp(decision *policy.Decision) {
	t.attributes.EnsureCapacity(t.attributes.Len() + mostAttributes)
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
	putDecision(event.Attributes(), decision)
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
