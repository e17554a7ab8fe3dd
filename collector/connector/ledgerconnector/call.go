package ledgerconnector

import (
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/genops-ai/genops/collector/internal/genai"
	"github.com/genops-ai/genops/collector/internal/pricing"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// reading says that what comes in stays as it is: the same spans go on to other pipelines.
type reading struct{}

func (reading) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: false} }

// settled is whether a span stands for a call that is settled: booked, or refused before it was made.
func settled(attributes pcommon.Map) bool {
	if _, ok := attributes.Get(semconv.GenopsCallID); !ok {
		return false
	}
	return str(attributes, semconv.GenopsCostRole) == "account" || str(attributes, semconv.GenopsCallOutcome) == "blocked"
}

// call is what a span says of a settled call, and what follows from it.
type call struct {
	span       ptrace.Span
	attributes pcommon.Map
	resource   pcommon.Map
	scope      string
	read       bool
	said       genai.Call
}

func newCall(span ptrace.Span, scope string, resource pcommon.Map) call {
	return call{span: span, attributes: span.Attributes(), resource: resource, scope: scope}
}

// told is what the span says in the names of any dialect. It is read when it is first asked for: most calls say in our own
// names what is needed.
func (c *call) told() *genai.Call {
	if !c.read {
		c.said, _ = genai.Read(c.scope, c.attributes)
		c.read = true
	}
	return &c.said
}

// text is an attribute of the span, else of its resource.
func (c *call) text(name string) string {
	if found := str(c.attributes, name); found != "" {
		return found
	}
	return str(c.resource, name)
}

func (c *call) provider() string {
	if found := str(c.attributes, semconv.GenopsCostProvider); found != "" {
		return found
	}
	return c.told().Provider
}

func (c *call) model() string {
	if found := str(c.attributes, semconv.GenAIRequestModel); found != "" {
		return found
	}
	return c.told().RequestModel
}

func (c *call) operation() string {
	if found := str(c.attributes, semconv.GenAIOperationName); found != "" {
		return found
	}
	if c.told().Type == "embedding" {
		return "embeddings"
	}
	return "chat"
}

func (c *call) outcome() string {
	if found := str(c.attributes, semconv.GenopsCallOutcome); found != "" {
		return found
	}
	if c.span.Status().Code() == ptrace.StatusCodeError {
		return "error"
	}
	return "completed"
}

// cost is what the call cost, exact; false if that is unknown. A double of at most 12 places is that decimal.
func (c *call) cost() (pricing.Amount, bool) {
	return c.amount(semconv.GenopsLedgerCost, semconv.GenopsCostTotal)
}

// listCost is what the call would cost by the price list: its cost, unless something else decided that.
func (c *call) listCost(cost pricing.Amount, known bool) (pricing.Amount, bool) {
	if found, ok := c.amount(semconv.GenopsLedgerListCost, semconv.GenopsCostList); ok {
		return found, true
	}
	status := str(c.attributes, semconv.GenopsCostStatus)
	if source := str(c.attributes, semconv.GenopsCostSource); source == "contract" || status == "provider_reported" {
		return pricing.Amount{}, false
	}
	return cost, known
}

func (c *call) amount(exact, nearest string) (pricing.Amount, bool) {
	if value, ok := c.attributes.Get(exact); ok && value.Type() == pcommon.ValueTypeStr {
		return pricing.ParseAmount(value.Str())
	}
	if value, ok := c.attributes.Get(nearest); ok && value.Type() == pcommon.ValueTypeDouble {
		return pricing.FromFloat(value.Double())
	}
	return pricing.Amount{}, false
}

func (c *call) duration() time.Duration {
	began, ended := c.span.StartTimestamp(), c.span.EndTimestamp()
	if ended < began {
		return 0
	}
	return time.Duration(ended - began)
}

func (c *call) tokens(name string) (int64, bool) {
	value, ok := c.attributes.Get(name)
	if !ok || value.Type() != pcommon.ValueTypeInt || value.Int() < 0 {
		return 0, false
	}
	return value.Int(), true
}

func str(attributes pcommon.Map, name string) string {
	if value, ok := attributes.Get(name); ok && value.Type() == pcommon.ValueTypeStr {
		return value.Str()
	}
	return ""
}

func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
