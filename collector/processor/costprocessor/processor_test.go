package costprocessor

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/genops-ai/genops/collector/internal/semconv"
	"github.com/genops-ai/genops/collector/processor/costprocessor/internal/metadata"
)

const (
	otel        = "opentelemetry.instrumentation.genai.openai"
	inference   = "openinference.instrumentation.openai"
	langchain   = "opentelemetry.instrumentation.langchain"
	exampleCost = "0.00825" // 1200 tokens in, 350 out, of gpt-5.4
)

var at = pcommon.NewTimestampFromTime(time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC))

type spans struct {
	td    ptrace.Traces
	scope map[string]ptrace.ScopeSpans
}

func newSpans() *spans {
	made := &spans{ptrace.NewTraces(), map[string]ptrace.ScopeSpans{}}
	resource := made.td.ResourceSpans().AppendEmpty().Resource().Attributes()
	resource.PutStr("service.name", "shop")
	resource.PutStr("service.namespace", "search")
	return made
}

// add appends a span of a scope; id and parent are the last byte of their ids.
func (s *spans) add(scope string, id, parent byte) ptrace.Span {
	within, ok := s.scope[scope]
	if !ok {
		within = s.td.ResourceSpans().At(0).ScopeSpans().AppendEmpty()
		within.Scope().SetName(scope)
		s.scope[scope] = within
	}
	span := within.Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{15: 7})
	span.SetSpanID(pcommon.SpanID{7: id})
	if parent != 0 {
		span.SetParentSpanID(pcommon.SpanID{7: parent})
	}
	span.SetStartTimestamp(at)
	return span
}

func (s *spans) call(scope string, id, parent byte) ptrace.Span {
	span := s.add(scope, id, parent)
	attributes := span.Attributes()
	attributes.PutStr("gen_ai.operation.name", "chat")
	attributes.PutStr("gen_ai.provider.name", "openai")
	attributes.PutStr("gen_ai.request.model", "gpt-5.4")
	attributes.PutInt("gen_ai.usage.input_tokens", 1200)
	attributes.PutInt("gen_ai.usage.output_tokens", 350)
	return span
}

func (s *spans) openInference(id, parent byte) ptrace.Span {
	span := s.add(inference, id, parent)
	attributes := span.Attributes()
	attributes.PutStr("openinference.span.kind", "LLM")
	attributes.PutStr("llm.provider", "openai")
	attributes.PutStr("llm.model_name", "gpt-5.4")
	attributes.PutInt("llm.token_count.prompt", 1200)
	attributes.PutInt("llm.token_count.completion", 350)
	return span
}

func newProcessor(t testing.TB, change func(*Config)) *costProcessor {
	config := createDefaultConfig().(*Config)
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	made, err := newCost(processortest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	return made
}

func run(t testing.TB, p *costProcessor, batches ...*spans) {
	for _, each := range batches {
		_, err := p.processTraces(context.Background(), each.td)
		require.NoError(t, err)
	}
}

func text(span interface{ Attributes() pcommon.Map }, name string) string {
	if value, ok := span.Attributes().Get(name); ok {
		return value.AsString()
	}
	return ""
}

func TestCallIsPricedAndAttributed(t *testing.T) {
	batch := newSpans()
	span := batch.call(otel, 1, 0)
	run(t, newProcessor(t, nil), batch)

	for name, want := range map[string]string{
		semconv.GenopsCostTotal: exampleCost, semconv.GenopsLedgerCost: exampleCost, semconv.GenopsCostStatus: "priced",
		semconv.GenopsCostSource: "span", semconv.GenopsCostRole: "account", semconv.GenopsCostCurrency: "USD",
		semconv.GenopsCostModel: "gpt-5.4", semconv.GenopsCostProvider: "openai", semconv.GenopsTeam: "search",
		semconv.GenopsProject: "shop", semconv.GenopsTokensInput: "1200", semconv.GenopsTokensOutput: "350",
		semconv.GenopsUsageQuantity + ".input": "1200", semconv.GenopsOperationType: "inference",
	} {
		assert.Equal(t, want, text(span, name), name)
	}
	assert.Len(t, text(span, semconv.GenopsCallID), 26)
}

// sum is what the spans of the batches cost together, and how many carry a cost.
func sum(batches ...*spans) (total float64, count int) {
	for _, batch := range batches {
		for _, scope := range batch.td.ResourceSpans().At(0).ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if value, ok := span.Attributes().Get(semconv.GenopsCostTotal); ok {
					total += value.Double()
					count++
				}
			}
		}
	}
	return total, count
}

func TestCallThatSeveralSpansTellCountsOnce(t *testing.T) {
	cases := map[string]func() []*spans{
		"the outer span first": func() []*spans {
			batch := newSpans()
			batch.call(otel, 1, 0)
			batch.openInference(2, 1)
			return []*spans{batch}
		},
		"the inner span first": func() []*spans {
			batch := newSpans()
			batch.openInference(2, 1)
			batch.call(otel, 1, 0)
			return []*spans{batch}
		},
		"three, one in the other, and an agent around": func() []*spans {
			batch := newSpans()
			batch.add(otel, 1, 0).Attributes().PutStr("gen_ai.operation.name", "invoke_agent")
			batch.call(langchain, 2, 1)
			batch.call(otel, 3, 2)
			batch.openInference(4, 3)
			return []*spans{batch}
		},
		"with a span between that is no call": func() []*spans {
			batch := newSpans()
			batch.call(langchain, 1, 0)
			batch.add("http", 2, 1)
			batch.call(otel, 3, 2)
			return []*spans{batch}
		},
		"the outer one in a later batch": func() []*spans {
			inner, between, outer := newSpans(), newSpans(), newSpans()
			inner.call(otel, 3, 2)
			between.add("http", 2, 1)
			between.call(otel, 9, 2).Attributes().PutStr("gen_ai.operation.name", "execute_tool")
			outer.call(langchain, 2, 0)
			return []*spans{inner, between, outer}
		},
		"the same response beside one another": func() []*spans {
			batch, later := newSpans(), newSpans()
			batch.call(otel, 1, 0).Attributes().PutStr("gen_ai.response.id", "chatcmpl-Cg1yDkQ3")
			batch.call(inference, 2, 0).Attributes().PutStr("gen_ai.response.id", "chatcmpl-Cg1yDkQ3")
			later.call("ai", 3, 0).Attributes().PutStr("gen_ai.response.id", "chatcmpl-Cg1yDkQ3")
			return []*spans{batch, later}
		},
		"nested, with the same response": func() []*spans {
			batch := newSpans()
			batch.call(langchain, 1, 0).Attributes().PutStr("gen_ai.response.id", "chatcmpl-Cg1yDkQ3")
			batch.call(otel, 2, 1).Attributes().PutStr("gen_ai.response.id", "chatcmpl-Cg1yDkQ3")
			return []*spans{batch}
		},
		"a framework's span that is not above": func() []*spans {
			batch := newSpans()
			batch.call(otel, 1, 0).SetStartTimestamp(at + 5)
			batch.call(langchain, 2, 0)
			return []*spans{batch}
		},
		"an SDK of GenOps booked it": func() []*spans {
			batch := newSpans()
			batch.call(otel, 1, 0).Attributes().PutStr("gen_ai.response.id", "chatcmpl-Cg1yDkQ3")
			ours := batch.call("genops", 2, 0)
			ours.Attributes().PutStr("gen_ai.response.id", "chatcmpl-Cg1yDkQ3")
			ours.Attributes().PutStr(semconv.GenopsCallID, "01J")
			ours.Attributes().PutStr(semconv.GenopsCostRole, "account")
			ours.Attributes().PutDouble(semconv.GenopsCostTotal, 0.00825)
			mirrored := batch.openInference(3, 2)
			mirrored.Attributes().PutStr(semconv.GenopsCallID, "01J")
			mirrored.Attributes().PutStr(semconv.GenopsCostRole, "mirror")
			return []*spans{batch}
		},
	}
	for name, make := range cases {
		t.Run(name, func(t *testing.T) {
			batches := make()
			run(t, newProcessor(t, nil), batches...)
			total, count := sum(batches...)
			assert.InDelta(t, 0.00825, total, 1e-15)
			assert.Equal(t, 1, count)
		})
	}
}

func TestCallsBesideOneAnotherAddUp(t *testing.T) {
	batch := newSpans()
	batch.add(otel, 1, 0).Attributes().PutStr("gen_ai.operation.name", "invoke_agent")
	for id := byte(2); id < 5; id++ {
		batch.call(otel, id, 1).Attributes().PutStr("gen_ai.response.id", fmt.Sprintf("chatcmpl-%016d", id))
	}
	run(t, newProcessor(t, nil), batch)
	_, count := sum(batch)
	assert.Equal(t, 3, count)
}

func TestBatchThatIsSentAgainIsTheSameCalls(t *testing.T) {
	p, ids := newProcessor(t, nil), map[string]bool{}
	for range 3 {
		batch := newSpans()
		span := batch.call(otel, 1, 0)
		span.Attributes().PutStr("gen_ai.response.id", "chatcmpl-Cg1yDkQ3")
		run(t, p, batch)
		ids[text(span, semconv.GenopsCallID)] = true
		assert.Equal(t, "account", text(span, semconv.GenopsCostRole))
	}
	assert.Len(t, ids, 1)
}

func TestWhatIsNoCountOfTokensIsUnpriced(t *testing.T) {
	for name, put := range map[string]func(pcommon.Value){
		"negative":  func(v pcommon.Value) { v.SetInt(-5) },
		"NaN":       func(v pcommon.Value) { v.SetDouble(math.NaN()) },
		"infinite":  func(v pcommon.Value) { v.SetDouble(math.Inf(1)) },
		"too large": func(v pcommon.Value) { v.SetInt(math.MaxInt64) },
		"text":      func(v pcommon.Value) { v.SetStr("many") },
		"a map":     func(v pcommon.Value) { v.SetEmptyMap().PutInt("x", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			batch := newSpans()
			span := batch.call(otel, 1, 0)
			put(span.Attributes().PutEmpty("gen_ai.usage.input_tokens"))
			run(t, newProcessor(t, nil), batch)
			assert.Equal(t, "unpriced", text(span, semconv.GenopsCostStatus))
			assert.Contains(t, text(span, semconv.GenopsCostUnpricedReason), "gen_ai.usage.input_tokens is ")
			assert.Empty(t, text(span, semconv.GenopsCostTotal))
		})
	}
}

func TestUnknownModelIsUnpricedAndNotFree(t *testing.T) {
	batch := newSpans()
	span := batch.call(otel, 1, 0)
	span.Attributes().PutStr("gen_ai.request.model", "nobody-1")
	run(t, newProcessor(t, nil), batch)
	assert.Equal(t, "no price for nobody-1", text(span, semconv.GenopsCostUnpricedReason))
	assert.Equal(t, "account", text(span, semconv.GenopsCostRole))
	assert.Empty(t, text(span, semconv.GenopsCostTotal))
}

func TestHostSaysWhoSendsTheBillAndWhere(t *testing.T) {
	batch := newSpans()
	span := batch.call(otel, 1, 0)
	span.Attributes().PutStr("server.address", "eu.api.openai.com")
	other := batch.call(otel, 2, 0)
	other.Attributes().PutStr("server.address", "openrouter.ai")
	run(t, newProcessor(t, nil), batch)
	assert.Equal(t, "0.009075", text(span, semconv.GenopsLedgerCost), "a tenth more in the EU")
	assert.Equal(t, "openrouter", text(other, semconv.GenopsCostProvider))
}

func TestTenantsHaveRatesOfTheirOwn(t *testing.T) {
	p := newProcessor(t, func(config *Config) {
		config.Prices = map[string]any{"discounts": []any{map[string]any{"percent": 10}}}
		config.Tenants = map[string]TenantConfig{"acme": {
			Prices:  map[string]any{"discounts": []any{map[string]any{"percent": "50"}}},
			Default: map[string]string{"cost_center": "cc-7"},
		}}
	})
	batch := newSpans()
	anyone, acme := batch.call(otel, 1, 0), batch.call(otel, 2, 0)
	acme.Attributes().PutStr(semconv.GenopsCustomerID, "acme")
	run(t, p, batch)
	assert.Equal(t, "0.007425", text(anyone, semconv.GenopsLedgerCost))
	assert.Equal(t, "0.004125", text(acme, semconv.GenopsLedgerCost))
	assert.Equal(t, exampleCost, text(acme, semconv.GenopsLedgerListCost))
	assert.Equal(t, "cc-7", text(acme, semconv.GenopsCostCenter))
}

func TestRatesFileIsReadAgainAndAMistakeChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rates.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write("discounts: [{percent: 10}]\n")
	p := newProcessor(t, func(config *Config) { config.RatesFile = path })
	cost := func() string {
		batch := newSpans()
		span := batch.call(otel, 1, 0)
		run(t, p, batch)
		return text(span, semconv.GenopsLedgerCost)
	}
	assert.Equal(t, "0.007425", cost())
	write("discounts: [{percent: 20}]\n")
	p.reload(context.Background())
	assert.Equal(t, "0.0066", cost())
	for _, mistake := range []string{"discounts: [{percent: 120}]", "discount: []", "]["} {
		write(mistake)
		p.reload(context.Background())
		assert.Equal(t, "0.0066", cost(), mistake)
	}
}

func TestWatchEndsWithTheProcessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rates.yaml")
	require.NoError(t, os.WriteFile(path, []byte("free: [gpt-5.4]\n"), 0o600))
	p := newProcessor(t, func(config *Config) { config.RatesFile, config.ReloadInterval = path, time.Millisecond })
	require.NoError(t, p.start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, os.WriteFile(path, []byte("discounts: [{percent: 50}]\n"), 0o600))
	assert.Eventually(t, func() bool {
		batch := newSpans()
		span := batch.call(otel, 1, 0)
		run(t, p, batch)
		return text(span, semconv.GenopsLedgerCost) == "0.004125"
	}, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, p.shutdown(context.Background()))
}

func TestEventsOfCallsRepeatTheirSpans(t *testing.T) {
	for _, account := range []bool{false, true} {
		p := newProcessor(t, func(config *Config) { config.Logs.Account = account })
		ld := plog.NewLogs()
		record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.SetTimestamp(at)
		newSpans().call(otel, 1, 0).Attributes().CopyTo(record.Attributes())
		_, err := p.processLogs(context.Background(), ld)
		require.NoError(t, err)
		if account {
			assert.Equal(t, exampleCost, text(record, semconv.GenopsLedgerCost))
		} else {
			assert.Equal(t, "mirror", text(record, semconv.GenopsCostRole))
			assert.Empty(t, text(record, semconv.GenopsCostTotal))
		}
	}
}

func TestMetricsAreAttributed(t *testing.T) {
	md := pmetric.NewMetrics()
	resource := md.ResourceMetrics().AppendEmpty().Resource().Attributes()
	resource.PutStr("service.namespace", "search")
	_, err := newProcessor(t, nil).processMetrics(context.Background(), md)
	require.NoError(t, err)
	team, _ := resource.Get(semconv.GenopsTeam)
	assert.Equal(t, "search", team.Str())
}

func TestWholePipelinePassesEverythingOn(t *testing.T) {
	sink := new(consumertest.TracesSink)
	made, err := NewFactory().CreateTraces(context.Background(), processortest.NewNopSettings(metadata.Type),
		createDefaultConfig(), sink)
	require.NoError(t, err)
	batch := newSpans()
	batch.call(otel, 1, 0)
	batch.add("http", 2, 0)
	require.NoError(t, made.ConsumeTraces(context.Background(), batch.td))
	assert.Equal(t, 2, sink.SpanCount())
}

func TestSpansThatAreNoCallsCostNoMemory(t *testing.T) {
	p, batch := newProcessor(t, nil), newSpans()
	for id := byte(1); id < 100; id++ {
		span := batch.add("http", id, id-1)
		span.Attributes().PutStr("http.request.method", "GET")
		span.Attributes().PutStr("url.full", "https://example.com")
	}
	ctx := context.Background()
	allocations := testing.AllocsPerRun(100, func() { _, _ = p.processTraces(ctx, batch.td) })
	assert.Less(t, allocations, 1.0) // of a hundred spans
}

func TestMemoryOfTracesIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	guard := newGuard(DuplicatesConfig{MaxTraces: 320, TTL: time.Minute}, func() time.Time { return now })
	for i := range 10_000 {
		guard.first(pcommon.TraceID{0: byte(i >> 8), 15: byte(i)}, seenCall{span: pcommon.SpanID{1}})
	}
	count := 0
	for i := range guard.shards {
		count += len(guard.shards[i].places)
	}
	assert.LessOrEqual(t, count, 352)
	now = now.Add(time.Hour)
	guard.first(pcommon.TraceID{15: 3}, seenCall{span: pcommon.SpanID{1}})
	assert.Len(t, guard.shards[3].places, 1, "what is older than the time to live is forgotten")
}

func FuzzProcessor(f *testing.F) {
	f.Add("gpt-5.4", "openai", int64(-1), math.NaN(), "chatcmpl-Cg1yDkQ3", byte(3))
	p := newProcessor(f, nil)
	f.Fuzz(func(t *testing.T, model, provider string, input int64, output float64, response string, parent byte) {
		batch := newSpans()
		span := batch.call(otel, 1, parent)
		span.Attributes().PutStr("gen_ai.request.model", model)
		span.Attributes().PutStr("gen_ai.provider.name", provider)
		span.Attributes().PutInt("gen_ai.usage.input_tokens", input)
		span.Attributes().PutDouble("gen_ai.usage.output_tokens", output)
		span.Attributes().PutStr("gen_ai.response.id", response)
		run(t, p, batch)
		if value, ok := span.Attributes().Get(semconv.GenopsCostTotal); ok && !(value.Double() >= 0) {
			t.Errorf("a cost of %v", value.Double())
		}
	})
}
