package budgetprocessor

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/genops-ai/genops/collector/extension/budgetstate"
	"github.com/genops-ai/genops/collector/internal/budget"
	"github.com/genops-ai/genops/collector/internal/semconv"
	"github.com/genops-ai/genops/collector/processor/budgetprocessor/internal/metadata"
)

type hosting map[component.ID]component.Component

func (h hosting) GetExtensions() map[component.ID]component.Component { return h }

var standard = []any{
	map[string]any{"name": "team", "group_by": "team", "limit": "1", "window": "total"},
	map[string]any{"name": "customer", "group_by": "customer_id", "limit": "0.1", "window": "month"},
	map[string]any{"name": "gold", "match": map[string]any{"tag.tier": "gold"}, "unit": "tokens", "limit": 1000, "window": "total"},
}

// run is a processor with a state of its own.
func run(t testing.TB, budgets any, change func(*Config)) (*budgetProcessor, *budget.Engine) {
	factory := budgetstate.NewFactory()
	given := factory.CreateDefaultConfig().(*budgetstate.Config)
	given.Budgets = budgets
	require.NoError(t, given.Validate())
	state, err := factory.Create(context.Background(), extensiontest.NewNopSettings(factory.Type()), given)
	require.NoError(t, err)
	require.NoError(t, state.Start(context.Background(), componenttest.NewNopHost()))
	config := createDefaultConfig().(*Config)
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	made, err := newBudget(processortest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	require.NoError(t, made.start(context.Background(), hosting{config.State: state}))
	t.Cleanup(func() {
		assert.NoError(t, made.shutdown(context.Background()))
		assert.NoError(t, state.Shutdown(context.Background()))
	})
	return made, state.(budgetstate.State).Engine()
}

// call is the span of a call that genops_cost priced at 0.03 USD.
func call(id string, more map[string]any) ptrace.Traces {
	td := ptrace.NewTraces()
	resource := td.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.namespace", "search")
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{15: 1})
	attributes := span.Attributes()
	for name, value := range map[string]any{
		semconv.GenopsCallID: id, semconv.GenopsCostRole: "account", semconv.GenopsCostTotal: 0.03,
		semconv.GenopsLedgerCost: "0.03", semconv.GenopsCostCurrency: "USD", semconv.GenopsTokensInput: 100,
		semconv.GenopsTokensOutput: 20, semconv.GenopsCustomerID: "acme", semconv.GenAIRequestModel: "gpt-5.4",
		semconv.GenopsCostProvider: "openai", semconv.GenopsTeam: "search",
	} {
		_ = attributes.PutEmpty(name).FromRaw(value)
	}
	for name, value := range more {
		if value == nil {
			attributes.Remove(name)
		} else {
			_ = attributes.PutEmpty(name).FromRaw(value)
		}
	}
	return td
}

func attributesOf(td ptrace.Traces) map[string]any {
	return td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().AsRaw()
}

func spent(t testing.TB, engine *budget.Engine) map[string]string {
	who := &budget.Call{Tags: map[string]string{"tier": "gold"}}
	who.Attribution[0], who.Attribution[3] = "search", "acme"
	found, err := engine.Standing(context.Background(), who)
	require.NoError(t, err)
	used := map[string]string{}
	for _, each := range found {
		leg := each.Plan.Legs[each.Place]
		used[each.Plan.Budgets[each.Place].Name] = budget.AmountOf(leg.Limit-each.Left, leg.Unit)
	}
	return used
}

func send(t testing.TB, p *budgetProcessor, td ptrace.Traces) map[string]any {
	out, err := p.processTraces(context.Background(), td)
	require.NoError(t, err)
	return attributesOf(out)
}

func TestSettledCallIsChargedOnceAndItsSpanSaysWhereTheBudgetStands(t *testing.T) {
	p, engine := run(t, standard, nil)
	for range 3 {
		got := send(t, p, call("one", map[string]any{"genops.tag.tier": "gold"}))
		assert.Equal(t, "customer", got[semconv.GenopsBudgetName])
		assert.Equal(t, 0.1, got[semconv.GenopsBudgetAllocated])
		assert.Equal(t, 0.03, got[semconv.GenopsBudgetConsumed])
		assert.Equal(t, 0.07, got[semconv.GenopsBudgetRemaining])
		assert.NotEmpty(t, got[semconv.GenopsBudgetPeriod])
	}
	assert.Equal(t, map[string]string{"team": "0.03", "customer": "0.03", "gold": "120"}, spent(t, engine))
	for i := range 4 {
		send(t, p, call(fmt.Sprint(i), nil))
	}
	got := send(t, p, call("over", nil))
	assert.InDelta(t, -0.08, got[semconv.GenopsBudgetRemaining], 1e-12, "what was spent is charged, over the limit, too")
}

func TestCallsThatAreNotChargedHere(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"no call":              {semconv.GenopsCallID: nil},
		"mirror":               {semconv.GenopsCostRole: "mirror"},
		"aggregate":            {semconv.GenopsCostRole: "aggregate"},
		"blocked":              {semconv.GenopsCostRole: nil, semconv.GenopsCallOutcome: "blocked"},
		"charged by an SDK":    {semconv.GenopsCallOutcome: "completed", semconv.GenopsBudgetName: "team"},
		"priced by an SDK":     {semconv.GenopsCallOutcome: "completed"},
		"batch told by an SDK": {semconv.GenopsCallOutcome: "completed", semconv.GenopsBudgetName: "unlimited", semconv.GenopsOperationType: "batch"},
	} {
		t.Run(name, func(t *testing.T) {
			p, engine := run(t, standard, nil)
			td := call("one", change)
			before := ptrace.NewTraces()
			td.CopyTo(before)
			send(t, p, td)
			assert.Equal(t, before, td)
			assert.Equal(t, map[string]string{"team": "0", "customer": "0", "gold": "0"}, spent(t, engine))
		})
	}
}

func TestCallThatAnSDKLetThroughWithoutABudgetIsChargedAndItsSpanStays(t *testing.T) {
	p, engine := run(t, standard, nil)
	td := call("one", map[string]any{semconv.GenopsCallOutcome: "completed", semconv.GenopsBudgetName: "unlimited"})
	assert.Equal(t, "unlimited", send(t, p, td)[semconv.GenopsBudgetName])
	assert.Equal(t, "0.03", spent(t, engine)["team"])
}

func TestAllChargesWhatSDKsSettledOnce(t *testing.T) {
	p, engine := run(t, standard, func(c *Config) { c.Charge = chargeAll })
	who := &budget.Call{Cost: 50_000_000, Currency: "USD", InputTokens: 1}
	who.Attribution[0], who.Attribution[3] = "search", "acme"
	_, err := engine.Reserve(context.Background(), "sdk", who, 60)
	require.NoError(t, err)
	_, err = engine.Settle(context.Background(), "sdk", &budget.Used{Cost: 30_000_000, Currency: "USD", Tokens: 1, ComputeMs: -1}, false)
	require.NoError(t, err)
	send(t, p, call("sdk", map[string]any{semconv.GenopsCallOutcome: "completed", semconv.GenopsBudgetName: "team"}))
	assert.Equal(t, "0.03", spent(t, engine)["team"], "it has settled in the same store")
	send(t, p, call("other", map[string]any{semconv.GenopsCallOutcome: "completed", semconv.GenopsBudgetName: "team"}))
	assert.Equal(t, "0.06", spent(t, engine)["team"], "it has a store of its own")
}

func TestSpanEndsTheReservationThatItsServiceMade(t *testing.T) {
	p, engine := run(t, standard, nil)
	who := &budget.Call{Cost: 90_000_000, Currency: "USD", InputTokens: 1}
	who.Attribution[0], who.Attribution[3] = "search", "acme"
	_, err := engine.Reserve(context.Background(), "order-1", who, 60)
	require.NoError(t, err)
	reserved := map[string]any{semconv.GenopsBudgetReservationID: "order-1"}
	for range 2 {
		send(t, p, call("span", reserved))
		assert.Equal(t, "0.03", spent(t, engine)["team"])
	}
	send(t, p, call("span2", map[string]any{semconv.GenopsBudgetReservationID: "nobody made this"}))
	assert.Equal(t, "0.06", spent(t, engine)["team"], "a call without a reservation is charged like any other")
}

func TestAttributionComesFromTheResourceTheCallerAndItsProof(t *testing.T) {
	p, engine := run(t, standard, func(c *Config) {
		c.Attribution.FromMetadata = map[string]string{"customer_id": "x-tenant"}
	})
	ctx := client.NewContext(context.Background(), client.Info{Metadata: client.NewMetadata(map[string][]string{"x-tenant": {"acme"}})})
	_, err := p.processTraces(ctx, call("one", map[string]any{semconv.GenopsTeam: nil, semconv.GenopsCustomerID: nil}))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"team": "0.03", "customer": "0.03", "gold": "0"}, spent(t, engine))
}

func TestAmountsThatAreNoneChargeNothing(t *testing.T) {
	p, engine := run(t, standard, nil)
	for i, change := range []map[string]any{
		{semconv.GenopsLedgerCost: "NaN", semconv.GenopsCostTotal: nil},
		{semconv.GenopsLedgerCost: nil, semconv.GenopsCostTotal: -1.0},
		{semconv.GenopsLedgerCost: "99999999999999999999", semconv.GenopsTokensInput: -5},
		{semconv.GenopsCostCurrency: "EUR"},
	} {
		send(t, p, call(fmt.Sprint(i), change))
	}
	assert.Equal(t, "0", spent(t, engine)["team"])
}

func TestMissingStateStopsTheCollectorWithAFix(t *testing.T) {
	made, err := NewFactory().CreateTraces(context.Background(), processortest.NewNopSettings(metadata.Type), createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	assert.ErrorContains(t, made.Start(context.Background(), componenttest.NewNopHost()), "there is no extension 'genops_state'")
	assert.NoError(t, made.Shutdown(context.Background()))
	config := createDefaultConfig().(*Config)
	config.Charge = "some"
	assert.ErrorContains(t, config.Validate(), "use foreign or all")
}

func TestSpansThatAreNoCallsCostNoMemory(t *testing.T) {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for range 100 {
		spans.AppendEmpty().Attributes().PutStr("http.request.method", "GET")
	}
	p, _ := run(t, standard, nil)
	ctx := context.Background()
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = p.processTraces(ctx, td) }))
}

func FuzzSpans(f *testing.F) {
	f.Add("one", "0.1", 0.5, int64(-1), "order", "gold")
	p, _ := run(f, standard, func(c *Config) { c.Charge = chargeAll })
	f.Fuzz(func(t *testing.T, id, exact string, total float64, tokens int64, reservation, tag string) {
		_, err := p.processTraces(context.Background(), call(id, map[string]any{
			semconv.GenopsLedgerCost: exact, semconv.GenopsCostTotal: total, semconv.GenopsTokensInput: tokens,
			semconv.GenopsBudgetReservationID: reservation, "genops.tag.tier": tag,
		}))
		require.NoError(t, err)
	})
}

// Each round has new call ids, so that every span is charged and annotated.
func BenchmarkCalls(b *testing.B) {
	p, _ := run(b, standard, nil)
	const spans = 512
	td := call("x", nil)
	batch := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for range spans - 1 {
		batch.At(0).CopyTo(batch.AppendEmpty())
	}
	ids := make([]string, 1<<20)
	for i := range ids {
		ids[i] = fmt.Sprintf("%026d", i)
	}
	round := 0
	b.ReportAllocs()
	for b.Loop() {
		for i, span := range batch.All() {
			span.Attributes().PutStr(semconv.GenopsCallID, ids[(round*spans+i)%len(ids)])
		}
		round++
		_, _ = p.processTraces(context.Background(), td)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spans, "ns/span")
}
