package policyprocessor

import (
	"context"
	"fmt"
	"os"
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

// sent are calls as bench/collector sends them, of a few teams, models and customers.
func sent() []map[string]any {
	made := make([]map[string]any, 512)
	for i := range made {
		model := []string{"gpt-4o-mini", "gpt-5.4", "gpt-4.1"}[i%3]
		made[i] = map[string]any{
			"gen_ai.request.model": model, "gen_ai.response.model": model, "gen_ai.response.id": fmt.Sprintf("chatcmpl-%d", i),
			"gen_ai.request.max_tokens": 512, "gen_ai.usage.input_tokens": 800 + i, "server.address": "api.openai.com",
			"server.port": 443, "genops.team": []string{"support", "search", "growth"}[i%3], "genops.project": "shop",
			"genops.environment": "production", "genops.customer_id": fmt.Sprintf("customer-%d", i%40),
			"genops.feature": "answer-ticket", "http.response.status_code": 200,
		}
	}
	return made
}

func BenchmarkCallsAsTheyAreSent(b *testing.B) {
	rules, err := os.ReadFile("../../../bench/collector/policies.yaml")
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, string(rules), sent()...)
}

func BenchmarkRulesOnTheKindOfCall(b *testing.B) {
	benchmark(b, "rules: [{name: a, condition: \"model == 'o3'\"}]", repeated(nil)...)
}

func BenchmarkSpansThatAreNoCalls(b *testing.B) {
	benchmark(b, twenty(), repeated(map[string]any{"gen_ai.operation.name": nil})...)
}
