package costprocessor

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/genops-ai/genops/collector/processor/costprocessor/internal/metadata"
)

const perBatch = 512

// batches are like those of bench/collector/spans.py: of calls, or of spans of no call.
func batches(calls bool) ptrace.Traces {
	td := ptrace.NewTraces()
	resource := td.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "shop")
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName("opentelemetry.instrumentation.openai")
	for number := range perBatch {
		span := scope.Spans().AppendEmpty()
		span.SetTraceID(pcommon.TraceID{14: byte(number >> 8), 15: byte(number)})
		span.SetSpanID(pcommon.SpanID{6: byte((number + 1) >> 8), 7: byte(number + 1)})
		span.SetStartTimestamp(at)
		span.SetEndTimestamp(at + pcommon.Timestamp(time.Second))
		if calls {
			putCall(span.Attributes(), number)
			continue
		}
		for place := range 16 {
			span.Attributes().PutStr(fmt.Sprintf("app.attribute.%d", place), "value")
		}
	}
	return td
}

func putCall(attributes pcommon.Map, number int) {
	model := []string{"gpt-4o-mini", "gpt-5.4", "gpt-4.1"}[number%3]
	attributes.PutStr("gen_ai.operation.name", "chat")
	attributes.PutStr("gen_ai.system", "openai")
	attributes.PutStr("gen_ai.request.model", model)
	attributes.PutStr("gen_ai.response.model", model)
	attributes.PutStr("gen_ai.response.id", fmt.Sprintf("chatcmpl-00000000%06d", number))
	attributes.PutInt("gen_ai.request.max_tokens", 512)
	attributes.PutInt("gen_ai.usage.input_tokens", int64(800+number))
	attributes.PutInt("gen_ai.usage.output_tokens", 120)
	attributes.PutStr("server.address", "api.openai.com")
	attributes.PutInt("server.port", 443)
	attributes.PutStr("genops.team", []string{"support", "search", "growth"}[number%3])
	attributes.PutStr("genops.project", "shop")
	attributes.PutStr("genops.environment", "production")
	attributes.PutStr("genops.customer_id", fmt.Sprintf("customer-%d", number%40))
	attributes.PutStr("genops.feature", "answer-ticket")
	attributes.PutInt("http.response.status_code", 200)
}

func benchmark(b *testing.B, spans ptrace.Traces) {
	p, err := newCost(processortest.NewNopSettings(metadata.Type), createDefaultConfig().(*Config))
	require.NoError(b, err)
	text, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(spans)
	require.NoError(b, err)
	b.ReportAllocs()
	var spent time.Duration
	for number := uint64(1); b.Loop(); number++ {
		b.StopTimer()
		td, _ := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(text) // as a receiver does: no room for more attributes
		for i, scope := 0, td.ResourceSpans().At(0).ScopeSpans().At(0).Spans(); i < scope.Len(); i++ {
			id := scope.At(i).TraceID()
			for place := range 8 {
				id[place] = byte(number >> (8 * place))
			}
			scope.At(i).SetTraceID(id)
		}
		b.StartTimer()
		begun := time.Now()
		_, _ = p.processTraces(b.Context(), td)
		spent += time.Since(begun)
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/perBatch, "ns/span")
}

func BenchmarkCalls(b *testing.B) { benchmark(b, batches(true)) }

func BenchmarkSpansOfNoCall(b *testing.B) { benchmark(b, batches(false)) }
