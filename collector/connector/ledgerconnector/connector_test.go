package ledgerconnector

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/genops-ai/genops/collector/connector/ledgerconnector/internal/metadata"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

var began = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)

// calls are settled calls, one for each customer given.
func calls(customers ...string) ptrace.Traces {
	td := ptrace.NewTraces()
	resource := td.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr(semconv.GenopsTeam, "search")
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	for i, customer := range customers {
		span := spans.AppendEmpty()
		span.SetTraceID(pcommon.TraceID{15: 1})
		span.SetSpanID(pcommon.SpanID{6: byte(i >> 8), 7: byte(i) + 1})
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(began))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(began.Add(1500 * time.Millisecond)))
		attributes := span.Attributes()
		attributes.PutStr(semconv.GenopsCallID, "call-"+customer)
		attributes.PutStr(semconv.GenopsCostRole, "account")
		attributes.PutStr(semconv.GenopsCostStatus, "priced")
		attributes.PutStr(semconv.GenopsCustomerID, customer)
		attributes.PutDouble(semconv.GenopsCostTotal, 0.1)
		attributes.PutStr(semconv.GenopsCostCurrency, "USD")
		attributes.PutInt(semconv.GenopsTokensInput, 10)
		attributes.PutInt(semconv.GenopsTokensOutput, 3)
		attributes.PutStr("gen_ai.operation.name", "chat")
		attributes.PutStr("gen_ai.system", "openai")
		attributes.PutStr("gen_ai.request.model", "gpt-5.4")
	}
	return td
}

func toLogsOf(t testing.TB, next consumer.Logs) consumer.Traces {
	made, err := NewFactory().CreateTracesToLogs(context.Background(), connectortest.NewNopSettings(metadata.Type),
		createDefaultConfig(), next)
	require.NoError(t, err)
	return made
}

func metricsOf(t testing.TB, next consumer.Metrics, change func(*Config)) *toMetrics {
	config := createDefaultConfig().(*Config)
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	made, err := createTracesToMetrics(context.Background(), connectortest.NewNopSettings(metadata.Type), config, next)
	require.NoError(t, err)
	return made.(*toMetrics)
}

func TestOneRecordForEachSettledCall(t *testing.T) {
	sink, td := new(consumertest.LogsSink), calls("acme", "blocked", "mirror")
	spans := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	spans.At(1).Attributes().Remove(semconv.GenopsCostRole)
	spans.At(1).Attributes().Remove(semconv.GenopsCostTotal)
	spans.At(1).Attributes().PutStr(semconv.GenopsCallOutcome, "blocked")
	spans.At(1).Attributes().PutStr(semconv.GenopsPolicyResult, "BLOCKED")
	spans.At(2).Attributes().PutStr(semconv.GenopsCostRole, "mirror")
	before := ptrace.NewTraces()
	td.CopyTo(before)

	require.NoError(t, toLogsOf(t, sink).ConsumeTraces(context.Background(), td))

	assert.Equal(t, before, td, "the spans go on as they are")
	records := sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, 2, records.Len())
	record := records.At(0)
	assert.Equal(t, semconv.EventUsageRecorded, record.EventName())
	assert.Equal(t, pcommon.TraceID{15: 1}, record.TraceID())
	for name, want := range map[string]any{
		semconv.GenopsCallID: "call-acme", semconv.GenopsLedgerCost: "0.1", semconv.GenopsLedgerListCost: "0.1",
		semconv.GenopsLedgerStartedAt: "2026-11-20T15:00:00Z", semconv.GenopsLedgerDurationMs: 1500.0,
		semconv.GenAIProviderName: "openai", semconv.GenAIRequestModel: "gpt-5.4", semconv.GenAIOperationName: "chat",
		semconv.GenopsOperationType: "inference", semconv.GenopsCallOutcome: "completed", semconv.GenopsTeam: "search",
		semconv.GenopsCustomerID: "acme", semconv.GenopsCallAPI: "span", semconv.GenopsPolicyResult: "ALLOWED",
	} {
		assert.Equal(t, want, record.Attributes().AsRaw()[name], name)
	}
	assert.Equal(t, "BLOCKED", records.At(1).Attributes().AsRaw()[semconv.GenopsPolicyResult])
	assert.NotContains(t, records.At(1).Attributes().AsRaw(), semconv.GenopsLedgerCost)
	for name := range record.Attributes().AsRaw() {
		assert.True(t, isTaken(name), "%s is no attribute of the event", name)
	}
}

func TestOneRecordForEachCallThatBreaksRules(t *testing.T) {
	sink, td := new(consumertest.LogsSink), calls("fine", "refused", "warned", "repeated")
	spans := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for i, result := range []string{"ALLOWED", "BLOCKED", "WARNING", "BLOCKED"} {
		spans.At(i).Attributes().PutStr(semconv.GenopsPolicyResult, result)
		spans.At(i).Attributes().PutStr(semconv.GenopsPolicyReason, "because")
	}
	spans.At(1).Attributes().Remove(semconv.GenopsCallID) // nobody priced it
	spans.At(3).Attributes().PutStr(semconv.GenopsCostRole, "mirror")
	config := createDefaultConfig().(*Config)
	config.Events = []string{"violation"}
	require.NoError(t, config.Validate())
	made, err := NewFactory().CreateTracesToLogs(context.Background(), connectortest.NewNopSettings(metadata.Type), config, sink)
	require.NoError(t, err)
	require.NoError(t, made.ConsumeTraces(context.Background(), td))

	records := sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, 2, records.Len())
	assert.Equal(t, semconv.EventPolicyViolation, records.At(0).EventName())
	assert.Equal(t, plog.SeverityNumberError, records.At(0).SeverityNumber())
	assert.Equal(t, plog.SeverityNumberWarn, records.At(1).SeverityNumber())
	assert.Equal(t, "because", records.At(0).Body().Str())
	for name, want := range map[string]any{
		semconv.GenopsPolicyResult: "BLOCKED", semconv.GenopsTeam: "search", semconv.GenopsCustomerID: "refused",
		semconv.GenAIRequestModel: "gpt-5.4", semconv.GenopsCallOutcome: "completed",
	} {
		assert.Equal(t, want, records.At(0).Attributes().AsRaw()[name], name)
	}
}

func TestEventsThatAreNoneAreNamed(t *testing.T) {
	config := createDefaultConfig().(*Config)
	config.Events = []string{"violations"}
	assert.ErrorContains(t, config.Validate(), "events: 'violations' is none. Did you mean 'violation'?")
}

func TestRefusalOfTheRecordsIsTheSendersToKnow(t *testing.T) {
	refused := errors.New("full")
	next, err := consumer.NewLogs(func(context.Context, plog.Logs) error { return refused })
	require.NoError(t, err)
	assert.ErrorIs(t, toLogsOf(t, next).ConsumeTraces(context.Background(), calls("acme")), refused)
}

func points(sink *consumertest.MetricsSink, name string) []pmetric.NumberDataPoint {
	var found []pmetric.NumberDataPoint
	for _, md := range sink.AllMetrics() {
		for _, metric := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if metric.Name() == name {
				for _, point := range metric.Sum().DataPoints().All() {
					found = append(found, point)
				}
			}
		}
	}
	return found
}

func TestSumsAreExactAndACallThatComesAgainAddsNothing(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	m := metricsOf(t, sink, func(config *Config) { config.Dimensions = []string{"team"} })
	for i := range 10 {
		for range 2 {
			require.NoError(t, m.ConsumeTraces(context.Background(), calls(fmt.Sprint(i))))
		}
	}
	m.flush(context.Background(), began)
	cost := points(sink, semconv.MetricCost)
	require.Len(t, cost, 1)
	assert.Equal(t, 1.0, cost[0].DoubleValue(), "ten times 0.1, added up in exact decimals")
	assert.Equal(t, map[string]any{semconv.GenopsTeam: "search", semconv.GenopsCostCurrency: "USD"}, cost[0].Attributes().AsRaw())
	assert.Equal(t, int64(10), points(sink, semconv.MetricCalls)[0].IntValue())
	assert.Len(t, points(sink, semconv.MetricTokens), 2)
	m.flush(context.Background(), began)
	assert.Len(t, sink.AllMetrics(), 1, "nothing new, nothing sent")
}

func TestSeriesBeyondTheLimitAreOneSeries(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	m := metricsOf(t, sink, func(config *Config) { config.SeriesLimit = 3 })
	for i := range 10 {
		require.NoError(t, m.ConsumeTraces(context.Background(), calls(fmt.Sprint(i))))
	}
	m.flush(context.Background(), began)
	total, over := 0.0, 0.0
	for _, point := range points(sink, semconv.MetricCost) {
		total += point.DoubleValue()
		if _, overflow := point.Attributes().Get("otel.metric.overflow"); overflow {
			over = point.DoubleValue()
		}
	}
	assert.InDelta(t, 1.0, total, 1e-12)
	assert.Equal(t, 0.7, over)
}

func TestIntervalThatIsRefusedIsSentWithTheNext(t *testing.T) {
	sink, refusing := new(consumertest.MetricsSink), true
	next, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		if refusing {
			return errors.New("full")
		}
		return sink.ConsumeMetrics(ctx, md)
	})
	require.NoError(t, err)
	m := metricsOf(t, next, nil)
	require.NoError(t, m.ConsumeTraces(context.Background(), calls("a")))
	m.flush(context.Background(), began)
	refusing = false
	require.NoError(t, m.ConsumeTraces(context.Background(), calls("b")))
	m.flush(context.Background(), began)
	assert.Len(t, points(sink, semconv.MetricCost), 2)
}

func TestShutdownSendsWhatIsThere(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	m := metricsOf(t, sink, nil)
	require.NoError(t, m.Start(context.Background(), nil))
	require.NoError(t, m.ConsumeTraces(context.Background(), calls("a")))
	require.NoError(t, m.Shutdown(context.Background()))
	assert.Len(t, points(sink, semconv.MetricCost), 1)
}

func TestConfigNamesWhatCannotWork(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"'tem' is none. Did you mean 'team'?": func(c *Config) { c.Dimensions = []string{"tem"} },
		"series_limit is 0":                   func(c *Config) { c.SeriesLimit = 0 },
		"flush_interval is 0s":                func(c *Config) { c.FlushInterval = 0 },
		"remembered_calls is 0":               func(c *Config) { c.Remembered = 0 },
	} {
		config := createDefaultConfig().(*Config)
		change(config)
		assert.ErrorContains(t, config.Validate(), want)
	}
}

// A million customers in one interval: memory is that of the limit, and of the calls that are remembered.
func TestMemoryIsBoundedWhateverTheNumberOfCustomers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	m := metricsOf(t, consumertest.NewNop(), nil)
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	td := calls("x")
	attributes := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes()
	var half uint64
	for i := range 1_000_000 {
		if i == 500_000 {
			half = heap()
		}
		customer := fmt.Sprint(i)
		attributes.PutStr(semconv.GenopsCustomerID, customer)
		attributes.PutStr(semconv.GenopsCallID, customer)
		require.NoError(t, m.ConsumeTraces(context.Background(), td))
	}
	assert.Less(t, heap(), half+4<<20)
	assert.Len(t, m.current.series, defaultSeries)
	assert.Equal(t, int64(1_000_000-defaultSeries), m.current.overflow.calls)
}

func TestSpansThatAreNoCallsCostNoMemory(t *testing.T) {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for range 100 {
		spans.AppendEmpty().Attributes().PutStr("http.request.method", "GET")
	}
	m, logs := metricsOf(t, consumertest.NewNop(), nil), toLogsOf(t, consumertest.NewNop())
	ctx := context.Background()
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = m.ConsumeTraces(ctx, td) }))
	assert.Less(t, testing.AllocsPerRun(100, func() { _ = logs.ConsumeTraces(ctx, td) }), 10.0) // one empty batch
}

func FuzzLedger(f *testing.F) {
	f.Add("0.1", 0.5, int64(-1), uint64(3), uint64(1))
	m, logs := metricsOf(f, consumertest.NewNop(), nil), toLogsOf(f, consumertest.NewNop())
	f.Fuzz(func(t *testing.T, exact string, total float64, tokens int64, start, end uint64) {
		td := calls("a")
		span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		span.SetStartTimestamp(pcommon.Timestamp(start))
		span.SetEndTimestamp(pcommon.Timestamp(end))
		span.Attributes().PutStr(semconv.GenopsLedgerCost, exact)
		span.Attributes().PutDouble(semconv.GenopsCostTotal, total)
		span.Attributes().PutInt(semconv.GenopsTokensInput, tokens)
		span.Attributes().PutStr(semconv.GenopsCallID, fmt.Sprint(exact, total, tokens))
		require.NoError(t, m.ConsumeTraces(context.Background(), td))
		require.NoError(t, logs.ConsumeTraces(context.Background(), td))
		m.flush(context.Background(), began)
	})
}

func BenchmarkCalls(b *testing.B) {
	customers := make([]string, 512)
	for i := range customers {
		customers[i] = fmt.Sprint(i)
	}
	td := calls(customers...)
	b.Run("logs", func(b *testing.B) {
		logs := toLogsOf(b, consumertest.NewNop())
		b.ReportAllocs()
		for b.Loop() {
			_ = logs.ConsumeTraces(context.Background(), td)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/span")
	})
	b.Run("metrics", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m := metricsOf(b, consumertest.NewNop(), nil)
			_ = m.ConsumeTraces(context.Background(), td)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/span")
	})
}
