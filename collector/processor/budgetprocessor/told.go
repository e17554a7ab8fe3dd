package budgetprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/budget"
	"github.com/genops-ai/genops/collector/internal/pricing"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

const unlimited = "unlimited" // the account of calls that no budget is about

// toldCall is what a span says of a settled call, read in one pass.
type toldCall struct {
	id          string
	reservation string
	account     bool
	outcome     bool // an SDK of GenOps says how a call went; the Collector's own stamp does not
	budget      string
	kind        string
	system      string
	exact       string
	total       float64
	hasTotal    bool
	currency    string
	input       int64
	output      int64
	seconds     string
	call        budget.Call
}

func (t *toldCall) read(attributes pcommon.Map, tags map[string]string) {
	t.input, t.output = -1, -1
	for name, value := range attributes.All() {
		switch value.Type() {
		case pcommon.ValueTypeStr:
			t.text(name, value.Str(), tags)
		case pcommon.ValueTypeInt:
			switch name {
			case semconv.GenopsTokensInput:
				t.input = value.Int()
			case semconv.GenopsTokensOutput:
				t.output = value.Int()
			}
		case pcommon.ValueTypeDouble:
			if name == semconv.GenopsCostTotal {
				t.total, t.hasTotal = value.Double(), true
			}
		}
	}
	if t.call.Provider == "" {
		t.call.Provider = t.system
	}
}

const quantityOfCompute = semconv.GenopsUsageQuantity + ".compute_seconds"

func (t *toldCall) text(name, value string, tags map[string]string) {
	switch name {
	case semconv.GenopsCallID:
		t.id = value
	case semconv.GenopsBudgetReservationID:
		t.reservation = value
	case semconv.GenopsCostRole:
		t.account = value == "account"
	case semconv.GenopsCallOutcome:
		t.outcome = true
	case semconv.GenopsBudgetName:
		t.budget = value
	case semconv.GenopsOperationType:
		t.kind = value
	case semconv.GenopsLedgerCost:
		t.exact = value
	case semconv.GenopsCostCurrency:
		t.currency = value
	case semconv.GenopsCostProvider:
		t.call.Provider = value
	case semconv.GenAIProviderName:
		t.system = value
	case semconv.GenAIRequestModel:
		t.call.Model = value
	case semconv.GenAIOperationName:
		t.call.Operation = value
	case semconv.GenopsTeam:
		t.call.Attribution.Set(attribution.Team, value)
	case semconv.GenopsProject:
		t.call.Attribution.Set(attribution.Project, value)
	case semconv.GenopsEnvironment:
		t.call.Attribution.Set(attribution.Environment, value)
	case semconv.GenopsCustomerID:
		t.call.Attribution.Set(attribution.CustomerID, value)
	case semconv.GenopsCostCenter:
		t.call.Attribution.Set(attribution.CostCenter, value)
	case semconv.GenopsFeature:
		t.call.Attribution.Set(attribution.Feature, value)
	case semconv.GenopsSessionID:
		t.call.Attribution.Set(attribution.SessionID, value)
	case quantityOfCompute:
		t.seconds = value
	default:
		if len(tags) > 0 {
			t.tag(name, value, tags)
		}
	}
}

func (t *toldCall) tag(name, value string, tags map[string]string) {
	if key, asked := tags[name]; asked {
		if t.call.Tags == nil {
			t.call.Tags = map[string]string{}
		}
		t.call.Tags[key] = value
	}
}

// chargedElsewhere is whether an SDK of GenOps charged the call. One without a budget charges nothing, save for what was
// spent already when it was told: batches and costs that the application states.
func (t *toldCall) chargedElsewhere() bool {
	return t.outcome && (t.budget != unlimited || t.kind == "batch" || t.kind == "manual")
}

func (t *toldCall) used() budget.Used {
	used := budget.Nothing
	if cost, ok := t.cost(); ok {
		used.Cost, used.Currency = cost, t.currency
		if t.currency == "" {
			used.Currency = budget.Currency
		}
	}
	if t.input >= 0 || t.output >= 0 {
		used.Tokens = min(max(t.input, 0), budget.Largest/2) + min(max(t.output, 0), budget.Largest/2)
	}
	if t.seconds != "" {
		if counted, err := budget.Counted(t.seconds, budget.ComputeSeconds); err == nil {
			used.ComputeMs = counted
		}
	}
	return used
}

// cost is what the call cost in nano-units. A double of at most 12 places is that decimal.
func (t *toldCall) cost() (int64, bool) {
	if t.exact != "" {
		return budget.Nanos(t.exact)
	}
	if !t.hasTotal {
		return 0, false
	}
	amount, ok := pricing.FromFloat(t.total)
	if !ok {
		return 0, false
	}
	return budget.CountedMoney(amount)
}
