package policyprocessor

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// twenty are rules that nobody breaks: ten look at the kind of call, ten at each call.
func twenty() string {
	var into strings.Builder
	into.WriteString("rules:\n")
	for i := range 10 {
		fmt.Fprintf(&into, "  - {name: kind%d, condition: \"model == 'o%d' && environment == 'production'\"}\n", i, i)
		fmt.Fprintf(&into, "  - {name: each%d, condition: \"has_estimated_cost && estimated_cost > %d.5\"}\n", i, i)
	}
	return into.String()
}

func benchmark(b *testing.B, text string, given ...map[string]any) {
	p, spans := byRules(b, text), batch(given...)
	td := ptrace.NewTraces()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		spans.CopyTo(td)
		b.StartTimer()
		_, _ = p.processTraces(context.Background(), td)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(given)), "ns/span")
}

func repeated(given map[string]any) []map[string]any {
	made := make([]map[string]any, 200)
	for i := range made {
		made[i] = given
	}
	return made
}

func BenchmarkTwentyRules(b *testing.B) {
	benchmark(b, twenty(), repeated(map[string]any{"genops.cost.total": 0.01})...)
}

func BenchmarkTwentyRulesOfWhichTwoAreBroken(b *testing.B) {
	benchmark(b, twenty(), repeated(map[string]any{"genops.cost.total": 1.6, "gen_ai.request.model": "o3"})...)
}

func BenchmarkRulesOnTheKindOfCall(b *testing.B) {
	benchmark(b, "rules: [{name: a, condition: \"model == 'o3'\"}]", repeated(nil)...)
}

func BenchmarkSpansThatAreNoCalls(b *testing.B) {
	benchmark(b, twenty(), repeated(map[string]any{"gen_ai.operation.name": nil})...)
}
