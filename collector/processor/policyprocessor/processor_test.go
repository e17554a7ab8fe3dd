package policyprocessor

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/semconv"
	"github.com/genops-ai/genops/collector/processor/policyprocessor/internal/metadata"
)

var at = pcommon.NewTimestampFromTime(time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC))

const rules = `
rules:
  - name: no-frontier-models
    match: {environment: production}
    condition: model.startsWith("o3")
    reason_code: POLICY_DENY_MODEL
    message: "{model} is not for {team}"
  - name: large
    condition: input_tokens > 1000
    decision: WARNING
  - name: dear
    condition: has_estimated_cost && estimated_cost > 1.0
    decision: RATE_LIMITED
  - {name: preview, condition: "model.contains('preview')", mode: shadow}
  - {name: tier, condition: "tags.tier == 'free'", match: {feature: tiered}, on_error: warn}
  - {name: small-will-do, condition: model == 'gpt-4o', actions: {reroute: gpt-4o-mini}}
`

// file is a policy file that says text.
func file(t testing.TB, text string) string {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func newProcessor(t testing.TB, change func(*Config)) *policyProcessor {
	config := createDefaultConfig().(*Config)
	change(config)
	require.NoError(t, config.Validate())
	made, err := newPolicy(processortest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	return made
}

func byRules(t testing.TB, text string) *policyProcessor {
	return newProcessor(t, func(config *Config) { config.PolicyFiles = []string{file(t, text)} })
}

// batch has one span for each map of attributes, over those of a call.
func batch(given ...map[string]any) ptrace.Traces {
	td := ptrace.NewTraces()
	resource := td.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "shop")
	resource.Resource().Attributes().PutStr("service.namespace", "search")
	resource.Resource().Attributes().PutStr("deployment.environment.name", "production")
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName("opentelemetry.instrumentation.openai")
	for i, each := range given {
		span := scope.Spans().AppendEmpty()
		span.SetTraceID(pcommon.TraceID{15: 7})
		span.SetSpanID(pcommon.SpanID{7: byte(i) + 1})
		span.SetStartTimestamp(at)
		span.SetEndTimestamp(at + 5)
		attributes := map[string]any{
			"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-5.4",
			"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3,
		}
		for name, value := range each {
			attributes[name] = value
			if value == nil {
				delete(attributes, name)
			}
		}
		if err := span.Attributes().FromRaw(attributes); err != nil {
			panic(err)
		}
	}
	return td
}

func spanOf(td ptrace.Traces, i int) ptrace.Span {
	return td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(i)
}

// decided is what one call of the given attributes is found to be.
func decided(t testing.TB, p *policyProcessor, given map[string]any) map[string]any {
	td := batch(given)
	_, err := p.processTraces(context.Background(), td)
	require.NoError(t, err)
	return spanOf(td, 0).Attributes().AsRaw()
}

func TestDecisionIsWrittenAsAnSDKWritesIt(t *testing.T) {
	td := batch(map[string]any{"gen_ai.request.model": "o3-preview", "gen_ai.usage.input_tokens": 2000})
	p := byRules(t, rules)
	_, err := p.processTraces(context.Background(), td)
	require.NoError(t, err)

	span := spanOf(td, 0)
	for name, want := range map[string]any{
		semconv.GenopsPolicyResult: "BLOCKED", semconv.GenopsPolicyReasonCode: "POLICY_DENY_MODEL",
		semconv.GenopsPolicyName: "no-frontier-models", semconv.GenopsPolicyShadow: []any{"preview: BLOCKED"},
		semconv.GenopsPolicyReason:        "rule 'no-frontier-models': o3-preview is not for search",
		semconv.GenopsPolicyRulesViolated: []any{"no-frontier-models", "large"},
		semconv.GenopsPolicyVersion:       p.inForce.Load().standard.set.Version,
	} {
		assert.Equal(t, want, span.Attributes().AsRaw()[name], name)
	}
	require.Equal(t, 1, span.Events().Len())
	event := span.Events().At(0)
	assert.Equal(t, semconv.EventPolicyEvaluated, event.Name())
	assert.Equal(t, map[string]any{
		semconv.GenopsPolicyResult: "BLOCKED", semconv.GenopsPolicyReasonCode: "POLICY_DENY_MODEL",
		semconv.GenopsPolicyName: "no-frontier-models", semconv.GenopsPolicyReason: "rule 'no-frontier-models': o3-preview is not for search",
		semconv.GenopsPolicyRulesViolated: []any{"no-frontier-models", "large"},
	}, event.Attributes().AsRaw())
}

func TestWhatSpansTellOfACall(t *testing.T) {
	p := byRules(t, rules)
	for name, each := range map[string]struct {
		given  map[string]any
		result string
		rule   any
	}{
		"nothing wrong":                     {nil, "ALLOWED", nil},
		"the model":                         {map[string]any{"gen_ai.request.model": "o3"}, "BLOCKED", "no-frontier-models"},
		"the environment of the span":       {map[string]any{"gen_ai.request.model": "o3", "genops.environment": "test"}, "ALLOWED", nil},
		"tokens":                            {map[string]any{"gen_ai.usage.input_tokens": 1001}, "WARNING", "large"},
		"no tokens are told":                {map[string]any{"gen_ai.usage.input_tokens": nil, "gen_ai.usage.output_tokens": nil}, "WARNING", "large"},
		"what it cost":                      {map[string]any{"genops.cost.total": 1.5}, "RATE_LIMITED", "dear"},
		"what it cost, in other money":      {map[string]any{"genops.cost.total": 1.5, "genops.cost.currency": "EUR"}, "ALLOWED", nil},
		"what it cost, as a whole":          {map[string]any{"genops.cost.total": 2}, "RATE_LIMITED", "dear"},
		"a tag":                             {map[string]any{"genops.feature": "tiered", "genops.tag.tier": "free"}, "BLOCKED", "tier"},
		"another tag":                       {map[string]any{"genops.feature": "tiered", "genops.tag.tier": "gold"}, "ALLOWED", nil},
		"no tag where one is looked up":     {map[string]any{"genops.feature": "tiered"}, "WARNING", "tier"},
		"a model that would be another one": {map[string]any{"gen_ai.request.model": "gpt-4o"}, "ALLOWED", nil},
	} {
		t.Run(name, func(t *testing.T) {
			found := decided(t, p, each.given)
			assert.Equal(t, each.result, found[semconv.GenopsPolicyResult])
			assert.Equal(t, each.rule, found[semconv.GenopsPolicyName])
			assert.NotContains(t, found, semconv.GenopsPolicyActions, "nothing was done to the request")
		})
	}
}

func TestEveryDialectIsDecidedAlike(t *testing.T) {
	p := byRules(t, "rules: [{name: a, condition: \"model == 'o3' && provider == 'openai' && operation == 'chat' && "+
		"tools == ['shell'] && streamed && max_output_tokens == 9\"}]")
	none := map[string]any{
		"gen_ai.operation.name": nil, "gen_ai.system": nil, "gen_ai.request.model": nil, "gen_ai.usage.input_tokens": nil,
		"gen_ai.usage.output_tokens": nil,
	}
	for name, given := range map[string]map[string]any{
		"OpenTelemetry": {
			"gen_ai.provider.name": "openai", "gen_ai.request.model": "o3", "gen_ai.request.stream": true,
			"gen_ai.request.max_tokens": 9, "gen_ai.tool.definitions": `[{"type":"function","name":"shell"}]`,
		},
		"OpenLLMetry": {
			"gen_ai.system": "openai", "gen_ai.request.model": "o3", "llm.is_streaming": true, "gen_ai.request.max_tokens": 9,
			"llm.request.functions.0.name": "shell",
		},
		"OpenInference": {
			"openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "o3",
			"llm.invocation_parameters":    `{"max_tokens": 9, "stream": true}`,
			"llm.tools.0.tool.json_schema": `{"type":"function","function":{"name":"shell"}}`,
		},
		"Vercel": {
			"ai.operationId": "ai.streamText.doStream", "ai.model.provider": "openai.chat", "ai.model.id": "o3",
			"ai.settings.maxOutputTokens": 9, "ai.prompt.tools": []any{`{"type":"function","name":"shell"}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := map[string]any{}
			if _, own := given["gen_ai.request.model"]; !own {
				for key := range none {
					all[key] = nil
				}
			}
			for key, value := range given {
				all[key] = value
			}
			assert.Equal(t, "BLOCKED", decided(t, p, all)[semconv.GenopsPolicyResult])
		})
	}
}

func TestWhatAnSDKDecidedStays(t *testing.T) {
	p := newProcessor(t, func(config *Config) {
		config.PolicyFiles = []string{file(t, rules)}
		config.Handling = map[string]string{"BLOCKED": drop, "ALLOWED": quarantine}
	})
	for name, given := range map[string]map[string]any{
		"its span":            {semconv.GenopsPolicyResult: "ALLOWED", semconv.GenopsCallID: "01J", semconv.GenopsCostRole: "account"},
		"another of the call": {semconv.GenopsCallID: "01J", semconv.GenopsCostRole: "mirror"},
		"an aggregate":        {semconv.GenopsCostRole: "aggregate"},
	} {
		t.Run(name, func(t *testing.T) {
			given["gen_ai.request.model"] = "o3"
			td := batch(given)
			before := ptrace.NewTraces()
			td.CopyTo(before)
			_, err := p.processTraces(context.Background(), td)
			require.NoError(t, err)
			assert.Equal(t, before, td)
		})
	}
}

func TestHandlingSetsAsideOrDrops(t *testing.T) {
	p := newProcessor(t, func(config *Config) {
		config.PolicyFiles = []string{file(t, rules)}
		config.Handling = map[string]string{"BLOCKED": quarantine, "WARNING": drop}
	})
	blocked := map[string]any{"gen_ai.request.model": "o3"}
	mirror := map[string]any{"gen_ai.request.model": "o3", semconv.GenopsCostRole: "mirror"}
	large := map[string]any{"gen_ai.usage.input_tokens": 5000}
	td := batch(large, nil, blocked, mirror, large, map[string]any{"gen_ai.operation.name": "execute_tool"})
	_, err := p.processTraces(context.Background(), td)
	require.NoError(t, err)

	require.Equal(t, 4, td.SpanCount())
	assert.NotContains(t, spanOf(td, 0).Attributes().AsRaw(), semconv.GenopsPolicyRoute)
	assert.Equal(t, quarantine, spanOf(td, 1).Attributes().AsRaw()[semconv.GenopsPolicyRoute])
	assert.Equal(t, quarantine, spanOf(td, 2).Attributes().AsRaw()[semconv.GenopsPolicyRoute], "it has the same content")
	assert.NotContains(t, spanOf(td, 2).Attributes().AsRaw(), semconv.GenopsPolicyResult, "it is decided once")
}

func TestBatchOfWhichNothingIsLeftGoesNoFurther(t *testing.T) {
	sink := new(consumertest.TracesSink)
	config := createDefaultConfig().(*Config)
	config.PolicyFiles, config.Handling = []string{file(t, rules)}, map[string]string{"BLOCKED": drop}
	made, err := NewFactory().CreateTraces(context.Background(), processortest.NewNopSettings(metadata.Type), config, sink)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, made.ConsumeTraces(context.Background(), batch(map[string]any{"gen_ai.request.model": "o3"})))
	require.NoError(t, made.ConsumeTraces(context.Background(), batch(nil)))
	require.NoError(t, made.Shutdown(context.Background()))
	assert.Equal(t, 1, sink.SpanCount())
}

func TestMissingAttributionIsFound(t *testing.T) {
	p := newProcessor(t, func(config *Config) {
		config.Attribution.Rules = map[string]attribution.Rule{
			"team": {Required: true}, "customer_id": {Required: true, Mode: "block"}, "cost_center": {Pattern: `cc-\d{4}`},
		}
	})
	found := decided(t, p, map[string]any{semconv.GenopsCostCenter: "none"})
	assert.Equal(t, "BLOCKED", found[semconv.GenopsPolicyResult])
	assert.Equal(t, "x_attribution_invalid", found[semconv.GenopsPolicyReasonCode])
	assert.Equal(t, "attribution.customer_id", found[semconv.GenopsPolicyName])
	assert.Equal(t, "customer_id is required and not set.", found[semconv.GenopsPolicyReason])
	assert.Equal(t, []any{"attribution.customer_id", "attribution.cost_center"}, found[semconv.GenopsPolicyRulesViolated])
	found = decided(t, p, map[string]any{semconv.GenopsCostCenter: "cc-0001", semconv.GenopsCustomerID: "acme"})
	assert.Equal(t, "ALLOWED", found[semconv.GenopsPolicyResult])
}

func TestRulesOnAttributionGoBeforePolicyFiles(t *testing.T) {
	p := newProcessor(t, func(config *Config) {
		config.PolicyFiles = []string{file(t, rules)}
		config.Attribution.Rules = map[string]attribution.Rule{"customer_id": {Required: true, Mode: "block"}}
	})
	for range 2 { // the second time from what is kept
		found := decided(t, p, map[string]any{"gen_ai.request.model": "o3", "gen_ai.usage.input_tokens": 2000})
		assert.Equal(t, []any{"attribution.customer_id", "no-frontier-models", "large"}, found[semconv.GenopsPolicyRulesViolated])
	}
}

func TestTenantsHavePoliciesOfTheirOwn(t *testing.T) {
	p := newProcessor(t, func(config *Config) {
		config.PolicyFiles = []string{file(t, rules)}
		config.Attribution.FromMetadata = map[string]string{"customer_id": "x-tenant"}
		config.Tenants = map[string]TenantConfig{
			"acme": {PolicyFiles: []string{file(t, "rules: [{name: acme, condition: \"model == 'gpt-5.4'\"}]")}},
			"free": {PolicyFiles: []string{}},
		}
	})
	o3 := map[string]any{"gen_ai.request.model": "o3"}
	for tenant, want := range map[string][2]string{
		"": {"ALLOWED", "BLOCKED"}, "acme": {"BLOCKED", "ALLOWED"}, "free": {"ALLOWED", "ALLOWED"}, "other": {"ALLOWED", "BLOCKED"},
	} {
		ctx := client.NewContext(context.Background(), client.Info{
			Metadata: client.NewMetadata(map[string][]string{"x-tenant": {tenant}}),
		})
		td := batch(nil, o3)
		_, err := p.processTraces(ctx, td)
		require.NoError(t, err)
		for i, result := range want {
			assert.Equal(t, result, spanOf(td, i).Attributes().AsRaw()[semconv.GenopsPolicyResult], tenant)
		}
	}
}

func TestChangedFilesAreReadAgainAndAMistakeChangesNothing(t *testing.T) {
	path := file(t, "rules: [{name: a, condition: \"model == 'o3'\"}]")
	p := newProcessor(t, func(config *Config) { config.PolicyFiles = []string{filepath.Join(filepath.Dir(path), "*.yaml")} })
	result := func() any {
		return decided(t, p, map[string]any{"gen_ai.request.model": "o3"})[semconv.GenopsPolicyResult]
	}
	change := func(text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		p.reload(context.Background())
	}
	assert.Equal(t, "BLOCKED", result())
	for _, mistake := range []string{"rules: [{name: a, condition: modell}]", "][", ""} {
		change(mistake)
		assert.Equal(t, "BLOCKED", result(), mistake)
	}
	change("rules: [{name: a, condition: \"model == 'o3'\", mode: warn}]")
	assert.Equal(t, "WARNING", result())
	require.NoError(t, os.Remove(path))
	p.reload(context.Background())
	assert.Equal(t, "WARNING", result(), "files that are gone change nothing")
	other := filepath.Join(filepath.Dir(path), "other.yaml")
	require.NoError(t, os.WriteFile(other, []byte("rules: [{name: b, condition: 'false'}]"), 0o600))
	p.reload(context.Background())
	assert.Equal(t, "ALLOWED", result())
}

func TestWatchEndsWithTheProcessor(t *testing.T) {
	path := file(t, rules)
	p := newProcessor(t, func(config *Config) { config.PolicyFiles, config.ReloadInterval = []string{path}, time.Millisecond })
	require.NoError(t, p.start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, os.WriteFile(path, []byte("rules: [{name: a, condition: 'true'}]"), 0o600))
	assert.Eventually(t, func() bool { return decided(t, p, nil)[semconv.GenopsPolicyResult] == "BLOCKED" }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, p.shutdown(context.Background()))
}

func TestMistakesAreNamedAtStart(t *testing.T) {
	wrong := file(t, "rules:\n  - name: a\n    conditions: 'true'\n")
	for name, each := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"nothing to decide by": {func(*Config) {}, "there is nothing to decide by"},
		"a glob without files": {func(c *Config) { c.PolicyFiles = []string{"nowhere/*.yaml"} }, "policy_files names nowhere/*.yaml, and there is no such file"},
		"a file":               {func(c *Config) { c.PolicyFiles = []string{wrong} }, wrong + ":3: unknown key 'conditions' in rules[0]. Did you mean 'condition'?"},
		"a file of a tenant":   {func(c *Config) { c.Tenants = map[string]TenantConfig{"acme": {PolicyFiles: []string{wrong}}} }, "tenants: acme: " + wrong + ":3"},
		"a key":                {func(c *Config) { c.PolicyFiles, c.TrustedKeys = []string{wrong}, []string{"x"} }, "trusted_keys: a trusted key is not 32 bytes in base64"},
		"handling of a result": {func(c *Config) { c.PolicyFiles, c.Handling = []string{wrong}, map[string]string{"BLOCK": drop} }, "handling: 'BLOCK' is no result. Did you mean 'BLOCKED'?"},
		"handling":             {func(c *Config) { c.PolicyFiles, c.Handling = []string{wrong}, map[string]string{"BLOCKED": "delete"} }, "'delete' cannot be done"},
		"a rule":               {func(c *Config) { c.Attribution.Rules = map[string]attribution.Rule{"tem": {}} }, "'tem'. Did you mean 'team'?"},
		"a pattern":            {func(c *Config) { c.Attribution.Rules = map[string]attribution.Rule{"team": {Pattern: "("}} }, "no regular expression"},
		"tenant_by":            {func(c *Config) { c.PolicyFiles, c.TenantBy = []string{wrong}, "tenant" }, "tenant_by: 'tenant' is no field"},
		"reload":               {func(c *Config) { c.PolicyFiles, c.ReloadInterval = []string{wrong}, -1 }, "reload_interval"},
		"a field": {func(c *Config) {
			c.PolicyFiles, c.Attribution.FromBaggage = []string{wrong}, []string{"tem"}
		}, "'tem' is no field"},
	} {
		t.Run(name, func(t *testing.T) {
			config := createDefaultConfig().(*Config)
			each.change(config)
			err := config.Validate()
			if err == nil {
				_, err = newPolicy(processortest.NewNopSettings(metadata.Type), config)
			}
			assert.ErrorContains(t, err, each.says)
		})
	}
}

func TestConfigurationIsReadFromItsKeys(t *testing.T) {
	config := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"policy_files": []any{"a.yaml"}, "trusted_keys": []any{"k"}, "reload_interval": "1m", "tenant_by": "team",
		"handling": map[string]any{"BLOCKED": "drop"},
		"attribution": map[string]any{
			"from_baggage": []any{"team"}, "rules": map[string]any{"team": map[string]any{"required": true, "mode": "block"}},
		},
		"tenants": map[string]any{"acme": map[string]any{"policy_files": []any{}}, "other": map[string]any{}},
	}).Unmarshal(config))
	assert.Equal(t, []string{"team"}, config.Attribution.FromBaggage)
	assert.Equal(t, attribution.Rule{Required: true, Mode: "block"}, config.Attribution.Rules["team"])
	assert.NotNil(t, config.Tenants["acme"].PolicyFiles, "an empty list is no policy at all")
	assert.Nil(t, config.Tenants["other"].PolicyFiles)
	assert.Equal(t, time.Minute, config.ReloadInterval)
}

func TestLogsThatNobodyDecidedAreDecided(t *testing.T) {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, given := range []map[string]any{
		{"gen_ai.operation.name": "chat", "gen_ai.request.model": "o3", "genops.environment": "production", "gen_ai.usage.input_tokens": 1},
		{"gen_ai.operation.name": "chat", "gen_ai.request.model": "o3", semconv.GenopsCallID: "01J", semconv.GenopsPolicyResult: "ALLOWED"},
		{"http.request.method": "GET"},
	} {
		require.NoError(t, records.AppendEmpty().Attributes().FromRaw(given))
	}
	_, err := byRules(t, rules).processLogs(context.Background(), ld)
	require.NoError(t, err)
	assert.Equal(t, "BLOCKED", records.At(0).Attributes().AsRaw()[semconv.GenopsPolicyResult])
	assert.Equal(t, "ALLOWED", records.At(1).Attributes().AsRaw()[semconv.GenopsPolicyResult])
	assert.Len(t, records.At(2).Attributes().AsRaw(), 1)
}

func TestFaultOfOursPassesTheSpanOn(t *testing.T) {
	p := byRules(t, rules)
	p.inForce.Store(&policies{standard: &ruled{}}) // no rules at all: a fault
	td := batch(nil, nil)
	_, err := p.processTraces(context.Background(), td)
	require.NoError(t, err)
	assert.Equal(t, 2, td.SpanCount())
	assert.NotContains(t, spanOf(td, 0).Attributes().AsRaw(), semconv.GenopsPolicyResult)
}

func TestKindsThatAreKeptAreBounded(t *testing.T) {
	p := byRules(t, "rules: [{name: a, condition: \"has_customer_id && customer_id == 'x'\"}]")
	for i := range 3 * mostKinds {
		var asked call
		asked.who.Set(attribution.CustomerID, string(rune(0x4e00+i)))
		p.inForce.Load().standard.kindOf(&asked)
	}
	assert.LessOrEqual(t, len(p.inForce.Load().standard.kinds), mostKinds)
	var asked call
	for i := range 10 {
		asked.who.Set(attribution.SessionID, string(rune('a'+i)))
		p.inForce.Load().standard.kindOf(&asked)
	}
	assert.LessOrEqual(t, len(p.inForce.Load().standard.kinds), mostKinds/2+mostKinds, "a field that no rule looks at makes no kinds")
}

func TestSpansThatAreNoCallsCostNoMemory(t *testing.T) {
	p, td := byRules(t, rules), ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for range 100 {
		spans.AppendEmpty().Attributes().PutStr("http.request.method", "GET")
	}
	ctx := context.Background()
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = p.processTraces(ctx, td) }))
}

// Calls of one kind are mostly found the same, and that is remembered.
func TestWhatWasDecidedOfOneCallIsNotSaidOfAnother(t *testing.T) {
	p := byRules(t, `
rules:
  - {name: large, condition: "input_tokens > 1000", decision: WARNING}
  - {name: dear, condition: "estimated_cost > 1.0", decision: WARNING, on_unknown: warn}
  - {name: long, condition: "max_output_tokens > 50", decision: WARNING, message: "{max_output_tokens} are many"}
`)
	given := []map[string]any{
		{"genops.cost.total": 0.5}, {}, {"genops.cost.total": 2.5}, {"genops.cost.total": 0.5, "gen_ai.usage.input_tokens": 2000},
		{"genops.cost.total": 0.5, "gen_ai.request.max_tokens": 60}, {"genops.cost.total": 0.5, "gen_ai.request.max_tokens": 70},
	}
	want := []string{
		"", "rule 'dear' could not be decided: estimated_cost is not known (on_unknown is warn)",
		"rule 'dear' warns of this call: estimated_cost > 1.0", "rule 'large' warns of this call: input_tokens > 1000",
		"rule 'long': 60 are many", "rule 'long': 70 are many",
	}
	for range 3 {
		td := batch(given...)
		_, err := p.processTraces(context.Background(), td)
		require.NoError(t, err)
		for i := range given {
			reason, _ := spanOf(td, i).Attributes().AsRaw()[semconv.GenopsPolicyReason].(string)
			assert.Equal(t, want[i], reason, "%v", given[i])
		}
	}
}

func FuzzProcessor(f *testing.F) {
	f.Add("gpt-5.4", "openai", int64(-1), "genops.tag.tier", "free", `{"tools":[{"function":{"name":3}}]}`, uint64(0))
	p := newProcessor(f, func(config *Config) {
		config.PolicyFiles = []string{file(f, rules+"  - {name: t, condition: \"tools.exists(t, t == 'a') && streamed && max_output_tokens > 3\"}\n")}
		config.Attribution.Rules = map[string]attribution.Rule{"customer_id": {Required: true}}
		config.Handling = map[string]string{"BLOCKED": drop, "WARNING": quarantine}
	})
	f.Fuzz(func(t *testing.T, model, provider string, input int64, name, text, parameters string, started uint64) {
		td := batch(map[string]any{
			"gen_ai.request.model": model, "gen_ai.system": provider, "gen_ai.usage.input_tokens": input,
			"llm.invocation_parameters": parameters,
		})
		span := spanOf(td, 0)
		span.Attributes().PutStr(name, text)
		span.SetStartTimestamp(pcommon.Timestamp(started))
		_, _ = p.processTraces(context.Background(), td)
		if td.SpanCount() == 0 {
			return
		}
		if result, ok := spanOf(td, 0).Attributes().Get(semconv.GenopsPolicyResult); ok && result.Str() == "BLOCKED" && name != semconv.GenopsPolicyResult {
			t.Errorf("a span that is to be dropped was left")
		}
	})
}
