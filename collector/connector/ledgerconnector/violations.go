package ledgerconnector

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/genops-ai/genops/collector/internal/semconv"
)

// violates is whether a span stands for a call that breaks rules. Other spans of the same call repeat it.
func violates(attributes pcommon.Map) bool {
	switch str(attributes, semconv.GenopsPolicyResult) {
	case "WARNING", "BLOCKED", "RATE_LIMITED":
		role := str(attributes, semconv.GenopsCostRole)
		return role != "mirror" && role != "aggregate"
	}
	return false
}

// Attributes of a span or of its resource that the record has as they are.
var ofViolation = [...]string{
	semconv.GenopsPolicyResult, semconv.GenopsPolicyReasonCode, semconv.GenopsPolicyName, semconv.GenopsPolicyReason,
	semconv.GenopsPolicyRulesViolated, semconv.GenopsPolicyVersion, semconv.GenopsCallID, semconv.GenopsTeam,
	semconv.GenopsProject, semconv.GenopsEnvironment, semconv.GenopsCustomerID, semconv.GenopsCostCenter, semconv.GenopsFeature,
}

// writeViolation makes the record of a call that breaks rules. Source: spec/registry/events.yaml, genops.policy.violation.
func (c *call) writeViolation(record plog.LogRecord) {
	record.SetEventName(semconv.EventPolicyViolation)
	record.SetTimestamp(c.span.EndTimestamp())
	record.SetObservedTimestamp(c.span.EndTimestamp())
	record.SetTraceID(c.span.TraceID())
	record.SetSpanID(c.span.SpanID())
	record.SetSeverityNumber(plog.SeverityNumberError)
	if str(c.attributes, semconv.GenopsPolicyResult) == "WARNING" {
		record.SetSeverityNumber(plog.SeverityNumberWarn)
	}
	record.SetSeverityText(record.SeverityNumber().String())
	record.Body().SetStr(str(c.attributes, semconv.GenopsPolicyReason))
	attributes := record.Attributes()
	attributes.EnsureCapacity(len(ofViolation) + 3)
	for _, name := range ofViolation {
		value, ok := c.attributes.Get(name)
		if !ok {
			value, ok = c.resource.Get(name)
		}
		if ok {
			value.CopyTo(attributes.PutEmpty(name))
		}
	}
	for _, each := range [...]struct{ name, value string }{
		{semconv.GenAIProviderName, c.provider()}, {semconv.GenAIRequestModel, c.model()},
		{semconv.GenopsCallOutcome, c.outcome()},
	} {
		if each.value != "" {
			attributes.PutStr(each.name, each.value)
		}
	}
}
