package pricing

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func usageOf(tokens ...int64) Usage {
	usage := NewUsage()
	for i, meter := range []string{"input", "output", "cache_read"} {
		if i < len(tokens) {
			usage.Set(meter, Whole(tokens[i]))
		}
	}
	return usage
}

func BenchmarkPrice(b *testing.B) {
	book, err := New(Rates{})
	if err != nil {
		b.Fatal(err)
	}
	usage, query := usageOf(1200, 350, 64), &Query{Provider: "openai", RequestModel: "gpt-5.4", At: noon}
	b.ReportAllocs()
	for b.Loop() {
		book.Price(&usage, query)
	}
}

func BenchmarkPriceAtContractRates(b *testing.B) {
	rates, err := ParseRates(map[string]any{"discounts": []any{map[string]any{"percent": "7.5"}}})
	if err != nil {
		b.Fatal(err)
	}
	book, _ := New(rates)
	usage, query := usageOf(1200, 350, 64), &Query{Provider: "openai", RequestModel: "gpt-5.4", At: noon}
	b.ReportAllocs()
	for b.Loop() {
		book.Price(&usage, query)
	}
}

// The quick way and the general one come to the same, whatever the quantities.
func FuzzPrice(f *testing.F) {
	book, err := New(Rates{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("openai", "gpt-5.4", int64(271_999), int64(1), int64(0))
	f.Add("anthropic", "claude-sonnet-5-5", int64(1<<62), int64(1<<62), int64(3))
	f.Fuzz(func(t *testing.T, provider, model string, input, output, cached int64) {
		if input < 0 || output < 0 || cached < 0 {
			t.Skip()
		}
		usage, query := usageOf(input, output, cached), &Query{Provider: provider, RequestModel: model, At: noon}
		quick, general := book.Price(&usage, query), book.Explain(&usage, query)
		if quick.Status != general.Status || quick.Amount != general.Amount || quick.Reason != general.Reason {
			t.Errorf("%+v differs from %+v", quick, general)
		}
	})
}
