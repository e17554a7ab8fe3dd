package budget

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/genops-ai/genops/collector/internal/attribution"
)

func readVectors(t *testing.T, name string, into any) {
	text, err := os.ReadFile("../../../spec/vectors/budget/" + name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into))
}

func TestEachMomentLiesInItsWindow(t *testing.T) {
	var cases []struct {
		Window any     `json:"window"`
		At     float64 `json:"at"`
		Expect struct {
			Start   int64   `json:"start"`
			End     *int64  `json:"end"`
			Label   string  `json:"label"`
			Series  string  `json:"series"`
			Buckets []int64 `json:"buckets"`
		} `json:"expect"`
	}
	readVectors(t, "windows.json", &cases)
	require.Greater(t, len(cases), 500)
	for i, each := range cases {
		found, err := Parse([]any{map[string]any{"name": "a", "limit": 1, "window": each.Window}}, nil)
		require.NoError(t, err)
		expected := Span{Start: each.Expect.Start, Label: each.Expect.Label, Buckets: each.Expect.Buckets}
		if each.Expect.End != nil {
			expected.End, expected.HasEnd = *each.Expect.End, true
		}
		assert.Equal(t, expected, found[0].Window.At(each.At), "case %d: %v at %f", i, each.Window, each.At)
		assert.Equal(t, each.Expect.Series, found[0].Window.Series())
	}
}

func TestEachCallStandsOnItsCounters(t *testing.T) {
	var read struct {
		Budgets    any `json:"budgets"`
		RateLimits any `json:"rate_limits"`
		Cases      []struct {
			Call struct {
				Attributes                 map[string]string
				Provider, Model, Operation string
			} `json:"call"`
			At     float64  `json:"at"`
			Tokens [2]int64 `json:"tokens"`
			Cost   string   `json:"cost"`
			Expect struct {
				Legs, Limits      string
				Reserved, Settled []int64
				Unknown           []int
			} `json:"expect"`
		} `json:"cases"`
	}
	readVectors(t, "keys.json", &read)
	budgets, err := Parse(read.Budgets, read.RateLimits)
	require.NoError(t, err)
	planner := NewPlanner(budgets)
	for _, each := range read.Cases {
		cost, err := Counted(each.Cost, "USD")
		require.NoError(t, err)
		call := &Call{
			Provider: each.Call.Provider, Model: each.Call.Model, Operation: each.Call.Operation, Tags: map[string]string{},
			InputTokens: each.Tokens[0], OutputTokens: each.Tokens[1], Cost: cost, Currency: "USD", ComputeMs: -1,
		}
		for name, value := range each.Call.Attributes {
			if field := attribution.Field(name); field >= 0 {
				call.Attribution[field] = value
			} else {
				call.Tags[name[len(Tag):]] = value
			}
		}
		plan := planner.Plan(call, each.At)
		amounts := plan.Amounts(call)
		legs, limits, _ := plan.asTexts()
		assert.Equal(t, each.Expect.Legs, legs)
		assert.Equal(t, each.Expect.Limits, limits)
		assert.Equal(t, each.Expect.Reserved, amounts.Reserved)
		assert.ElementsMatch(t, each.Expect.Unknown, amounts.Unknown)
		used := Used{Cost: 20_000_000, Currency: "USD", Tokens: 900, ComputeMs: -1}
		assert.Equal(t, each.Expect.Settled, plan.Actuals(&used, amounts.Reserved))
		back, err := legsOf(legs)
		require.NoError(t, err)
		for place := range back {
			assert.Equal(t, plan.Legs[place].Key, back[place].Key)
			name, _, series, start, ok := ParseKey(back[place].Key)
			assert.True(t, ok)
			assert.Equal(t, []any{plan.Budgets[place].Name, plan.Spans[place].Start, plan.Budgets[place].Window.Series()},
				[]any{name, start, series})
		}
	}
}

func TestAmountsAreCountedWholeAndRoundedUp(t *testing.T) {
	var cases []struct {
		Amount, Unit string
		Counted      *int64
		Said         string
	}
	readVectors(t, "units.json", &cases)
	for _, each := range cases {
		counted, err := Counted(each.Amount, each.Unit)
		if each.Counted == nil {
			assert.ErrorContains(t, err, "fix:", each.Amount)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, *each.Counted, counted, each.Amount)
		assert.Equal(t, each.Said, AmountOf(counted, each.Unit))
	}
}

func TestDeclarationsThatCannotWorkAreRefused(t *testing.T) {
	var cases []struct {
		Budget map[string]any `json:"budget"`
	}
	readVectors(t, "refused.json", &cases)
	for _, each := range cases {
		_, err := Parse([]any{each.Budget}, nil)
		assert.ErrorContains(t, err, "fix:", "%v", each.Budget)
		assert.ErrorContains(t, err, "budgets[0]", "%v", each.Budget)
	}
}

func FuzzDeclarations(f *testing.F) {
	f.Add([]byte(`[{"name": "a", "limit": 1, "window": {"every": "month", "time_zone": "Asia/Kolkata"}}]`), 1.8e9)
	f.Add([]byte(`[{"name": "a", "limit": "0.5", "group_by": ["tag.x"], "window": {"rolling": "24h"}}]`), -1e9)
	f.Fuzz(func(t *testing.T, text []byte, at float64) {
		var given any
		if json.NewDecoder(bytes.NewReader(text)).Decode(&given) != nil {
			return
		}
		budgets, err := Parse(given, given)
		if err != nil || at != at || at < -2e9 || at > 4e9 {
			return
		}
		for _, budget := range budgets {
			span := budget.Window.At(at)
			if span.HasEnd && (float64(span.Start) > at || float64(span.End) <= at) {
				t.Fatalf("%v does not hold %f", span, at)
			}
		}
	})
}

func FuzzNanosIsCounted(f *testing.F) {
	for _, text := range []string{"0.0098125", "1", ".5", "5.", "9007199.2547409911", "0.0000000001", "-1", "1e5", "99999999999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fast, ok := Nanos(text)
		exact, err := Counted(text, "USD")
		if err == nil && (!ok || fast != exact) {
			t.Fatalf("%q is %d, not %d, %v", text, exact, fast, ok)
		}
	})
}
