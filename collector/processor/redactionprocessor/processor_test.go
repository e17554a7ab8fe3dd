package redactionprocessor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/genops-ai/genops/collector/internal/redaction"
	"github.com/genops-ai/genops/collector/internal/semconv"
	"github.com/genops-ai/genops/collector/processor/redactionprocessor/internal/metadata"
	"github.com/genops-ai/genops/collector/processor/redactionprocessor/internal/metadatatest"
)

const (
	mail    = "jane@example.com"
	apiKey  = "ghp_p04fwsz1tu1i7zbem1a6zl6jmkvapysnfimz"
	card    = "4111 1111 1111 1111"
	secrets = "write to " + mail + ", the key is " + apiKey + ", pay with " + card
)

func newProcessor(t testing.TB, change func(*Config)) *redactionProcessor {
	config := createDefaultConfig().(*Config)
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	made, err := newRedaction(processortest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	return made
}

// hide puts the secrets everywhere in a map: as a text, deep in maps and lists, in JSON, in names and in bytes.
func hide(attributes pcommon.Map) {
	attributes.PutStr("note", secrets)
	attributes.PutStr("gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"`+secrets+`"}]}]`)
	attributes.PutStr("app.arguments", `{"inner": "{\"mail\": \"jane\\u0040example.com\"}", "pan": 4111111111111111}`)
	attributes.PutEmptyBytes("blob").FromRaw([]byte("\xff " + secrets))
	nested := attributes.PutEmptyMap("nested")
	nested.PutStr("password", "hunter2x")
	nested.PutStr(mail, "a name")
	list := nested.PutEmptySlice("list")
	list.AppendEmpty().SetStr(secrets)
	list.AppendEmpty().SetEmptyMap().PutEmptySlice("more").AppendEmpty().SetStr(apiKey)
}

// leaks are the secrets that are still in what an exporter would write.
func leaks(written string) (found []string) {
	for _, secret := range []string{mail, apiKey, card, "hunter2x", "4111111111111111", `jane\\u0040`, "jane"} {
		if strings.Contains(written, secret) {
			found = append(found, secret)
		}
	}
	return found
}

func traces(td ptrace.Traces) string {
	written, _ := new(ptrace.JSONMarshaler).MarshalTraces(td)
	proto, _ := new(ptrace.ProtoMarshaler).MarshalTraces(td)
	return string(written) + string(proto)
}

func everywhere() ptrace.Traces {
	td := ptrace.NewTraces()
	resource := td.ResourceSpans().AppendEmpty()
	hide(resource.Resource().Attributes())
	scope := resource.ScopeSpans().AppendEmpty()
	hide(scope.Scope().Attributes())
	span := scope.Spans().AppendEmpty()
	span.SetName("GET /users/" + mail)
	hide(span.Attributes())
	event := span.Events().AppendEmpty()
	event.SetName("mail to " + mail)
	hide(event.Attributes())
	hide(span.Links().AppendEmpty().Attributes())
	span.Status().SetMessage("refused: " + secrets)
	return td
}

func TestNothingLeaksFromSpans(t *testing.T) {
	td := everywhere()
	before := td.SpanCount()
	_, err := newProcessor(t, nil).processTraces(context.Background(), td)
	require.NoError(t, err)
	assert.Empty(t, leaks(traces(td)))
	assert.Equal(t, before, td.SpanCount())

	span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	assert.Equal(t, "GET /users/[EMAIL]", span.Name())
	assert.Equal(t, "refused: write to [EMAIL], the key is [API_KEY], pay with [CREDIT_CARD]", span.Status().Message())
	nested, _ := span.Attributes().Get("nested")
	name, _ := nested.Map().Get("[EMAIL]")
	assert.Equal(t, "a name", name.Str())
	assert.Equal(t, pcommon.ValueTypeBytes, mustGet(t, span.Attributes(), "blob").Type())
	assert.Equal(t, "[SECRET]", mustGet(t, nested.Map(), "password").Str())
}

func mustGet(t testing.TB, attributes pcommon.Map, name string) pcommon.Value {
	value, ok := attributes.Get(name)
	require.True(t, ok, name)
	return value
}

func TestNothingLeaksFromLogs(t *testing.T) {
	ld := plog.NewLogs()
	resource := ld.ResourceLogs().AppendEmpty()
	hide(resource.Resource().Attributes())
	scope := resource.ScopeLogs().AppendEmpty()
	hide(scope.Scope().Attributes())
	for _, fill := range []func(pcommon.Value){
		func(body pcommon.Value) { body.SetStr(secrets) },
		func(body pcommon.Value) { body.SetStr(`{"text": "` + secrets + `"}`) },
		func(body pcommon.Value) { hide(body.SetEmptyMap()) },
		func(body pcommon.Value) { body.SetEmptySlice().AppendEmpty().SetStr(secrets) },
		func(body pcommon.Value) { body.SetEmptyBytes().FromRaw([]byte(secrets)) },
	} {
		record := scope.LogRecords().AppendEmpty()
		fill(record.Body())
		hide(record.Attributes())
		record.SetSeverityText(mail)
		record.SetEventName("for " + mail)
	}
	_, err := newProcessor(t, nil).processLogs(context.Background(), ld)
	require.NoError(t, err)
	written, _ := new(plog.JSONMarshaler).MarshalLogs(ld)
	proto, _ := new(plog.ProtoMarshaler).MarshalLogs(ld)
	assert.Empty(t, leaks(string(written)+string(proto)))
	assert.Equal(t, 5, ld.LogRecordCount())
}

func TestNothingLeaksFromMetrics(t *testing.T) {
	md := pmetric.NewMetrics()
	resource := md.ResourceMetrics().AppendEmpty()
	hide(resource.Resource().Attributes())
	scope := resource.ScopeMetrics().AppendEmpty()
	hide(scope.Scope().Attributes())
	metrics := scope.Metrics()
	gauge := metrics.AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	sum := metrics.AppendEmpty().SetEmptySum().DataPoints().AppendEmpty()
	histogram := metrics.AppendEmpty().SetEmptyHistogram().DataPoints().AppendEmpty()
	exponential := metrics.AppendEmpty().SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
	summary := metrics.AppendEmpty().SetEmptySummary().DataPoints().AppendEmpty()
	for _, each := range []pcommon.Map{
		gauge.Attributes(), sum.Attributes(), histogram.Attributes(), exponential.Attributes(), summary.Attributes(),
		gauge.Exemplars().AppendEmpty().FilteredAttributes(), sum.Exemplars().AppendEmpty().FilteredAttributes(),
		histogram.Exemplars().AppendEmpty().FilteredAttributes(), exponential.Exemplars().AppendEmpty().FilteredAttributes(),
		metrics.At(0).Metadata(),
	} {
		hide(each)
	}
	_, err := newProcessor(t, nil).processMetrics(context.Background(), md)
	require.NoError(t, err)
	written, _ := new(pmetric.JSONMarshaler).MarshalMetrics(md)
	proto, _ := new(pmetric.ProtoMarshaler).MarshalMetrics(md)
	assert.Empty(t, leaks(string(written)+string(proto)))
}

// one is a span with attributes of a text each, after the processor.
func one(t testing.TB, p *redactionProcessor, attributes ...string) pcommon.Map {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	for i := 0; i < len(attributes); i += 2 {
		span.Attributes().PutStr(attributes[i], attributes[i+1])
	}
	_, err := p.processTraces(context.Background(), td)
	require.NoError(t, err)
	return span.Attributes()
}

func TestKeysDecide(t *testing.T) {
	for name, each := range map[string]struct {
		change    func(*Config)
		key, want string
	}{
		"every attribute is looked at":   {nil, "app.note", "[EMAIL]"},
		"but identifiers":                {nil, "gen_ai.response.id", mail},
		"not a content of that name":     {nil, "gen_ai.response.text", "[EMAIL]"},
		"ignored by the user":            {func(c *Config) { c.IgnoreKeys = []string{"app.*"} }, "app.note", mail},
		"that takes the defaults' place": {func(c *Config) { c.IgnoreKeys = []string{"app.*"} }, "gen_ai.response.id", "[EMAIL]"},
		"denied":                         {func(c *Config) { c.DenyKeys = []string{"app.*"} }, "app.note", denied},
		"denied though ignored":          {func(c *Config) { c.DenyKeys = []string{"service.*"} }, "service.name", denied},
		"not allowed":                    {func(c *Config) { c.AllowKeys = []string{"http.*"} }, "app.note", denied},
		"allowed and looked at":          {func(c *Config) { c.AllowKeys = []string{"app.*"} }, "app.note", "[EMAIL]"},
		"only content, and it is none":   {func(c *Config) { c.Scan = scanContent }, "app.note", mail},
		"only content, and more of it": {func(c *Config) { c.Scan, c.ContentKeys = scanContent, []string{"app.*"} }, "app.note",
			"[EMAIL]"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, each.want, mustGet(t, one(t, newProcessor(t, each.change), each.key, mail), each.key).Str())
		})
	}
}

func TestContentOfEveryDialectIsKnown(t *testing.T) {
	p := newProcessor(t, func(config *Config) { config.Scan = scanContent })
	for _, name := range []string{
		"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments",
		"gen_ai.tool.call.result", "gen_ai.prompt.0.content", "gen_ai.completion.0.content", "gen_ai.prompt",
		"traceloop.entity.input", "traceloop.entity.output", "llm.prompts", "llm.input_messages.0.message.content",
		"llm.output_messages.1.message.tool_calls.0.tool_call.function.arguments", "input.value", "output.value",
		"llm.prompt_template.variables", "retrieval.documents.0.document.content", "tool.parameters",
		"langfuse.observation.input", "langfuse.observation.output", "langfuse.trace.input", "ai.prompt", "ai.prompt.messages",
		"ai.response.text", "ai.response.toolCalls", "ai.toolCall.args", "ai.toolCall.result", "ai.values",
		"exception.message", "db.query.text", "all_messages_events",
	} {
		assert.Equal(t, "[EMAIL]", mustGet(t, one(t, p, name, mail), name).Str(), name)
	}
}

func TestValuesThatAreNoTextsStay(t *testing.T) {
	td := ptrace.NewTraces()
	attributes := td.ResourceSpans().AppendEmpty().Resource().Attributes()
	attributes.PutInt("n", 4111111111111111)
	attributes.PutDouble("d", 0.5)
	attributes.PutBool("b", true)
	_, err := newProcessor(t, func(config *Config) { config.DenyKeys = []string{"b"} }).processTraces(context.Background(), td)
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"n": int64(4111111111111111), "d": 0.5, "b": denied}, attributes.AsRaw())
}

func TestActions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte("0123456789abcdef\n"), 0o600))
	for name, each := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"mask":                {func(c *Config) { c.Actions = map[string]string{"EMAIL": "mask"} }, "to ****.com"},
		"drop":                {func(c *Config) { c.Actions = map[string]string{"personal": "drop"} }, "to "},
		"allow":               {func(c *Config) { c.Actions = map[string]string{"EMAIL": "allow"} }, "to " + mail},
		"hash":                {func(c *Config) { c.Actions, c.HashKey = map[string]string{"EMAIL": "hash"}, "0123456789abcdef" }, "to [EMAIL:a7a54661c75b]"},
		"hash, key in a file": {func(c *Config) { c.Actions, c.HashKeyFile = map[string]string{"EMAIL": "hash"}, file }, "to [EMAIL:a7a54661c75b]"},
		"a rule of the user":  {func(c *Config) { c.Custom = []CustomRule{{Name: "DOMAIN", Pattern: `example\.com`}} }, "to [DOMAIN]"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, each.want, mustGet(t, one(t, newProcessor(t, each.change), "note", "to "+mail), "note").Str())
		})
	}
}

func TestSummaryCountsAndAddsUp(t *testing.T) {
	p := newProcessor(t, nil)
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.Attributes().PutStr("note", secrets+" "+mail)
	span.Attributes().PutInt(semconv.GenopsRedactionCount, 2)
	span.Attributes().PutEmptySlice(semconv.GenopsRedactionEntities).AppendEmpty().SetStr("EMAIL=2")
	_, err := p.processTraces(context.Background(), td)
	require.NoError(t, err)
	assert.Equal(t, int64(6), mustGet(t, span.Attributes(), semconv.GenopsRedactionCount).Int())
	assert.Equal(t, []any{"API_KEY=1", "CREDIT_CARD=1", "EMAIL=4"},
		mustGet(t, span.Attributes(), semconv.GenopsRedactionEntities).Slice().AsRaw())

	for _, quiet := range []pcommon.Map{
		one(t, p, "note", "nothing"), one(t, newProcessor(t, func(c *Config) { c.Summary = false }), "note", mail),
	} {
		_, said := quiet.Get(semconv.GenopsRedactionCount)
		assert.False(t, said)
	}
}

func TestTooLargeValues(t *testing.T) {
	change := func(treatment string) func(*Config) {
		return func(c *Config) { c.MaxValueBytes, c.TooLarge = 8<<10, treatment }
	}
	large := mail + strings.Repeat(" é", 5<<10) + mail
	made := mustGet(t, one(t, newProcessor(t, change(cut)), "note", large), "note").Str()
	assert.True(t, strings.HasPrefix(made, "[EMAIL] é é") && strings.HasSuffix(made, " é"+rest) || strings.HasSuffix(made, "é "+rest))
	assert.Less(t, len(made), 8<<10)
	assert.Empty(t, leaks(made))
	assert.Equal(t, tooLarge, mustGet(t, one(t, newProcessor(t, change(replace)), "note", large), "note").Str())

	// A secret across the place of the cut is gone whole, wherever it begins.
	p := newProcessor(t, change(cut))
	for before := 6<<10 - 60; before < 6<<10+20; before++ {
		across := strings.Repeat(".", before-1) + " " + apiKey + " " + strings.Repeat(".", 4<<10)
		made := mustGet(t, one(t, p, "note", across), "note").Str()
		assert.NotContains(t, made, "ghp_", "%d", before)
	}
}

func TestNamesThatBecomeTheSameStayApart(t *testing.T) {
	td := ptrace.NewTraces()
	users := td.ResourceSpans().AppendEmpty().Resource().Attributes().PutEmptyMap("users")
	for i, name := range []string{"a@example.com", "b@example.com", "c@example.com", "plain"} {
		users.PutInt(name, int64(i))
	}
	_, err := newProcessor(t, nil).processTraces(context.Background(), td)
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"[EMAIL]": int64(0), "[EMAIL]#2": int64(1), "[EMAIL]#3": int64(2), "plain": int64(3)},
		mustGet(t, td.ResourceSpans().At(0).Resource().Attributes(), "users").Map().AsRaw())
}

func TestTooDeepValuesDoNotPass(t *testing.T) {
	td := ptrace.NewTraces()
	deep := td.ResourceSpans().AppendEmpty().Resource().Attributes().PutEmptySlice("deep")
	for range 100 {
		deep = deep.AppendEmpty().SetEmptySlice()
	}
	deep.AppendEmpty().SetStr(mail)
	_, err := newProcessor(t, nil).processTraces(context.Background(), td)
	require.NoError(t, err)
	assert.Contains(t, traces(td), redaction.TooDeep)
	assert.Empty(t, leaks(traces(td)))
}

// broken is an engine with a fault.
type broken struct{ engine }

func (b broken) RedactValue(name, text string, tally *redaction.Tally) (string, bool) {
	if strings.Contains(text, "boom") {
		panic("of the test")
	}
	return b.engine.RedactValue(name, text, tally)
}

func TestFaultNeitherDropsDataNorLetsItThrough(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	defer func() { require.NoError(t, telemetry.Shutdown(context.Background())) }()
	p, err := newRedaction(metadatatest.NewSettings(telemetry), createDefaultConfig().(*Config))
	require.NoError(t, err)
	p.engine = broken{p.engine}
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("boom " + mail)
	span.Status().SetMessage("boom " + mail)
	span.Attributes().PutStr("a", "boom "+mail)
	span.Attributes().PutStr("b", "to "+mail)
	span.Attributes().PutEmptyMap("c").PutStr("boom", mail)
	_, err = p.processTraces(context.Background(), td)
	require.NoError(t, err)
	assert.Empty(t, leaks(traces(td)))
	assert.Equal(t, map[string]any{"a": faulty, "b": "to [EMAIL]", "c": faulty},
		map[string]any{"a": span.Attributes().AsRaw()["a"], "b": span.Attributes().AsRaw()["b"], "c": span.Attributes().AsRaw()["c"]})
	assert.Equal(t, []string{faulty, faulty}, []string{span.Name(), span.Status().Message()})
	metadatatest.AssertEqualGenopsRedactionFaults(t, telemetry, []metricdata.DataPoint[int64]{{Value: 4}},
		metricdatatest.IgnoreTimestamp())
}

func TestOwnMetrics(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	defer func() { require.NoError(t, telemetry.Shutdown(context.Background())) }()
	p, err := newRedaction(metadatatest.NewSettings(telemetry), createDefaultConfig().(*Config))
	require.NoError(t, err)
	one(t, p, "note", mail+" "+mail, "other", "a key "+apiKey, "clean", "nothing", "large", strings.Repeat("x", 300<<10))
	metadatatest.AssertEqualGenopsRedactionFindings(t, telemetry, []metricdata.DataPoint[int64]{
		{Value: 2, Attributes: attribute.NewSet(attribute.String("entity", "EMAIL"))},
		{Value: 1, Attributes: attribute.NewSet(attribute.String("entity", "API_KEY"))},
	}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualGenopsRedactionValuesChanged(t, telemetry, []metricdata.DataPoint[int64]{{Value: 3}},
		metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualGenopsRedactionScannedBytes(t, telemetry,
		[]metricdata.DataPoint[int64]{{Value: int64(33+6+len(apiKey)+7) + 256<<10}}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualGenopsRedactionTooLargeValues(t, telemetry, []metricdata.DataPoint[int64]{
		{Value: 1, Attributes: attribute.NewSet(attribute.String("treatment", "cut"))},
	}, metricdatatest.IgnoreTimestamp())
	require.NoError(t, p.shutdown(context.Background()))
}

func TestMistakesAreNamed(t *testing.T) {
	for name, each := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"scan":                {func(c *Config) { c.Scan = "contents" }, "scan: 'contents' is none. Did you mean 'content'?"},
		"too_large":           {func(c *Config) { c.TooLarge = "drop" }, "too_large: 'drop' is none."},
		"max":                 {func(c *Config) { c.MaxValueBytes = 10 }, "max_value_bytes: 4096 or more"},
		"entity":              {func(c *Config) { c.Actions = map[string]string{"EMAL": "mask"} }, "Did you mean 'EMAIL'?"},
		"no key":              {func(c *Config) { c.Actions = map[string]string{"EMAIL": "hash"} }, "needs a key of at least 16 bytes"},
		"short key":           {func(c *Config) { c.HashKey = "short" }, "hash_key has 5 bytes"},
		"two keys":            {func(c *Config) { c.HashKey, c.HashKeyFile = "0123456789abcdef", "k" }, "are both set"},
		"entity, with a file": {func(c *Config) { c.HashKeyFile, c.Actions = "k", map[string]string{"EMAL": "mask"} }, "Did you mean 'EMAIL'?"},
		"no name":             {func(c *Config) { c.Custom = []CustomRule{{Pattern: "x"}} }, "entry 1 has no name"},
		"no pattern":          {func(c *Config) { c.Custom = []CustomRule{{Name: "x"}} }, "or no pattern"},
		"no RE2":              {func(c *Config) { c.Custom = []CustomRule{{Name: "x", Pattern: "(?<=a)b"}} }, "is not RE2"},
	} {
		t.Run(name, func(t *testing.T) {
			config := createDefaultConfig().(*Config)
			each.change(config)
			require.ErrorContains(t, config.Validate(), each.want)
		})
	}
	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(short, []byte("short\n"), 0o600))
	for file, want := range map[string]string{short + ".none": "hash_key_file: open", short: "has 5 bytes, and 16 are the least"} {
		config := createDefaultConfig().(*Config)
		config.HashKeyFile = file
		require.NoError(t, config.Validate())
		_, err := NewFactory().CreateTraces(context.Background(), processortest.NewNopSettings(metadata.Type), config, consumertest.NewNop())
		require.ErrorContains(t, err, want)
	}
}

func TestConfigIsRead(t *testing.T) {
	config := createDefaultConfig().(*Config)
	given := confmap.NewFromStringMap(map[string]any{
		"scan": "content", "actions": map[string]any{"EMAIL": "hash"}, "hash_key": "0123456789abcdef", "deny_keys": []any{"a.*"},
		"custom": []any{map[string]any{"name": "TICKET", "pattern": `\bTCK-[0-9]{6}\b`}}, "max_value_bytes": 8192,
	})
	require.NoError(t, given.Unmarshal(config))
	require.NoError(t, config.Validate())
	assert.Equal(t, "[REDACTED]", config.HashKey.String())
	assert.Equal(t, []string{"a.*"}, config.DenyKeys)
}

func TestWholePipelinePassesEverythingOn(t *testing.T) {
	sink := new(consumertest.TracesSink)
	made, err := NewFactory().CreateTraces(context.Background(), processortest.NewNopSettings(metadata.Type),
		createDefaultConfig(), sink)
	require.NoError(t, err)
	require.NoError(t, made.ConsumeTraces(context.Background(), everywhere()))
	assert.Equal(t, 1, sink.SpanCount())
	assert.Empty(t, leaks(traces(sink.AllTraces()[0])))
	assert.True(t, made.Capabilities().MutatesData)
}

func TestMemoryOfKeysIsBounded(t *testing.T) {
	found := newKeys(createDefaultConfig().(*Config))
	for i := range mostKeys + 500 {
		assert.Equal(t, look, found.of("app."+strconv.Itoa(i)))
	}
	assert.Len(t, *found.known.Load(), mostKeys)
}

func TestVerdictsThatShareAPlaceStayApart(t *testing.T) {
	config := createDefaultConfig().(*Config)
	config.DenyKeys = []string{"secret.*"}
	by, found := newKeys(config), &recent{}
	for range 2 {
		for i := range 1000 {
			assert.Equal(t, deny, found.of("secret."+strconv.Itoa(i), by))
			assert.Equal(t, look, found.of("app."+strconv.Itoa(i), by))
		}
		assert.Equal(t, look, found.of("", by))
	}
}

// plain is a hundred spans as a server writes them.
func plain(content string) ptrace.Traces {
	td := ptrace.NewTraces()
	resource := td.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "shop")
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	for range 100 {
		span := spans.AppendEmpty()
		span.SetName("chat gpt-5.4")
		span.Attributes().PutStr("gen_ai.operation.name", "chat")
		span.Attributes().PutStr("gen_ai.request.model", "gpt-5.4")
		span.Attributes().PutInt("gen_ai.usage.input_tokens", 1200)
		span.Attributes().PutStr("http.request.method", "GET")
		span.Attributes().PutStr("url.full", "https://example.com/products/search?page=2")
		if content != "" {
			span.Attributes().PutStr("gen_ai.input.messages", content)
		}
	}
	return td
}

func TestWhatWasCleanOnceIsNotTakenForAnother(t *testing.T) {
	p := newProcessor(t, nil)
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for range 4 {
		attributes := spans.AppendEmpty().Attributes()
		attributes.PutStr("title", "hunter2x")
		attributes.PutStr("db.password", "hunter2x")
		attributes.PutStr("x", "ydb.password")
		attributes.PutStr("xy", "db.password")
	}
	_, err := p.processTraces(context.Background(), td)
	require.NoError(t, err)
	for _, span := range spans.All() {
		assert.Equal(t, "hunter2x", span.Attributes().AsRaw()["title"])
		assert.Equal(t, "[SECRET]", span.Attributes().AsRaw()["db.password"])
		assert.Equal(t, "ydb.password", span.Attributes().AsRaw()["x"])
	}
}

func TestMemoryHoldsWhatComesAgainAndNothingElse(t *testing.T) {
	m := newMemory()
	m.slots = m.slots[:1] // all texts in one place
	take := func(name, text string) bool {
		slot := &m.slots[0]
		_, hash := m.of(name, text)
		held := slot.holds(name, text)
		if !held {
			slot.note(name, text, hash)
		}
		return held
	}
	assert.False(t, take("route", "/cart"))
	assert.False(t, take("route", "/cart"), "seen for the second time, and kept")
	assert.True(t, take("route", "/cart"))
	assert.False(t, take("id", "4f7a"))
	assert.True(t, take("route", "/cart"), "what comes once takes nothing's place")
	assert.False(t, take("rout", "e/cart"))
	assert.False(t, take("", "route/cart"))
	slot, _ := m.of("", strings.Repeat("x", longestText+1))
	assert.Nil(t, slot)
}

func FuzzProcessor(f *testing.F) {
	f.Add("note", "to "+mail, "{\"a\": [1, \"x\"]}", []byte("\xff"))
	f.Add(mail, secrets, `["\u00e9"]`, []byte(card))
	p := newProcessor(f, func(config *Config) { config.MaxValueBytes = leastMaxValueBytes })
	f.Fuzz(func(t *testing.T, name, text, json string, raw []byte) {
		td := ptrace.NewTraces()
		span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetName(text)
		span.Attributes().PutStr(name, text+" "+apiKey)
		nested := span.Attributes().PutEmptyMap("nested")
		nested.PutStr(name, json)
		nested.PutEmptyBytes("raw").FromRaw(raw)
		span.Events().AppendEmpty().Attributes().PutStr("text", json+" "+mail+" ")
		_, err := p.processTraces(context.Background(), td)
		if err != nil || td.SpanCount() != 1 {
			t.Errorf("%v, %d spans", err, td.SpanCount())
		}
		if event, _ := span.Events().At(0).Attributes().Get("text"); strings.HasSuffix(event.Str(), " "+mail+" ") {
			t.Errorf("%q passes", event.Str())
		}
	})
}

var clean = strings.Repeat("Thanks for the summary. We looked at the plan again on 12 March and the team agrees with most of it, although "+
	"the second part still needs some work: the access rules are not written down, and nobody knows whether the old token "+
	"service can be switched off before summer. Could you ask the authors about the key points (there were 3 of them)? ", 8)[:2048]

// others are spans of no call: names that nobody knows, with short values.
func others() ptrace.Traces {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 100 {
		span := spans.AppendEmpty()
		span.SetName("GET /checkout")
		span.Attributes().PutStr("url.path", "/checkout")
		for place := range 13 {
			span.Attributes().PutStr("app.attribute."+strconv.Itoa(place), fmt.Sprintf("value-%d-%d", i%7, place))
		}
	}
	return td
}

func benchmark(b *testing.B, content string) { benchmarkOf(b, plain(content)) }

func benchmarkOf(b *testing.B, batch ptrace.Traces) {
	p, td := newProcessor(b, nil), ptrace.NewTraces()
	b.ReportAllocs()
	for b.Loop() {
		batch.CopyTo(td)
		_, _ = p.processTraces(context.Background(), td)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.SpanCount()), "ns/span")
}

func BenchmarkWithoutContent(b *testing.B) { benchmark(b, "") }

func BenchmarkNamesOfNobody(b *testing.B) {
	benchmarkOf(b, others())
}

func BenchmarkCleanContent(b *testing.B) { benchmark(b, clean) }

func BenchmarkCleanMessages(b *testing.B) {
	benchmark(b, `[{"role":"user","parts":[{"type":"text","content":"`+clean[:1980]+`"}]}]`)
}

func BenchmarkDigits(b *testing.B) {
	benchmark(b, strings.Repeat("100319,12.04,2026-11-27,10000104729;", 57)[:2048])
}

func BenchmarkFinds(b *testing.B) { benchmark(b, clean[:950]+" "+secrets+" "+clean[:950]) }

func BenchmarkLogs(b *testing.B) {
	p := newProcessor(b, nil)
	batch, ld := plog.NewLogs(), plog.NewLogs()
	records := batch.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for range 100 {
		records.AppendEmpty().Body().SetStr(clean)
	}
	b.ReportAllocs()
	for b.Loop() {
		batch.CopyTo(ld)
		_, _ = p.processLogs(context.Background(), ld)
	}
}

func BenchmarkMetrics(b *testing.B) {
	p := newProcessor(b, nil)
	batch, md := pmetric.NewMetrics(), pmetric.NewMetrics()
	points := batch.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptySum().DataPoints()
	for i := range 100 {
		points.AppendEmpty().Attributes().PutStr("http.route", "/products/"+strconv.Itoa(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		batch.CopyTo(md)
		_, _ = p.processMetrics(context.Background(), md)
	}
}
