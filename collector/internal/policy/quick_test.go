package policy

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What conditions are put together from here: forms with an answer at once, forms that are left to CEL, and errors.
var forms = []string{
	"model == 'gpt-4.1'", "model != 'gpt-4.1'", "model.startsWith('gpt')", "model.endsWith('')", "team.contains('ea')",
	"customer_id == 'a'", "provider in ['openai', 'anthropic']", "model in []", "streamed", "has_model", "has_customer_id",
	"has_estimated_cost", "input_tokens > 100", "input_tokens >= 100", "input_tokens == 100", "input_tokens != 100",
	"max_output_tokens < 9007199254740993", "max_output_tokens <= -5", "estimated_cost > 1.5", "estimated_cost <= 1.5",
	"estimated_cost == 0.0", "estimated_cost != 1e308", "budget_used >= 1.0", "tools.size() > 1", "size(tools) == 0",
	"tags.size() < 2", "size(flags) >= 1", "entities.size() != 2", "true", "false", "model.matches('^gpt-[0-9]')",
	"model == team", "input_tokens * 2 > 300", "1 / (input_tokens - 100) > 0", "tags.tier == 'free'", "flags.pilot",
	"'shell' in tools", "tools.exists(t, t == 'shell')", "100 < input_tokens", "model < 'h'", "size(model) > 3",
	"[1, 2].exists(model, model == 2)", "now.getHours() > 12", "now > timestamp('2026-01-01T00:00:00Z')", "model.size() > 2",
	"(streamed ? model : team) == 'team'", "streamed == true", "'gpt-4.1' == model", "'a' in tags", "tools == []",
}

func anyCondition(random *rand.Rand, depth int) string {
	one := func() string { return anyCondition(random, depth-1) }
	if depth == 0 || random.IntN(4) == 0 {
		return forms[random.IntN(len(forms))]
	}
	switch random.IntN(4) {
	case 0:
		return "!(" + one() + ")"
	case 1:
		return "(" + one() + " ? " + one() + " : " + one() + ")"
	case 2:
		return "(" + one() + " || " + one() + ")"
	}
	return "(" + one() + " && " + one() + " && " + one() + ")"
}

// anyFacts are facts of a call of which some are not known.
func anyFacts(random *rand.Rand) *Known {
	texts := []any{nil, "", "gpt-4.1", "gpt-5", "team", "openai", "a", "é\xff"}
	amounts := []any{nil, 0.0, math.Copysign(0, -1), 1.5, 2.0, math.NaN(), math.Inf(1), math.Inf(-1), 1e308}
	counts := []any{int64(0), int64(100), int64(101), int64(math.MaxInt64), int64(math.MinInt64), nil}
	pick := func(all []any) any { return all[random.IntN(len(all))] }
	made := &Known{}
	for number, input := range table.Inputs {
		switch input.Kind {
		case kindString:
			made[number] = pick(texts)
		case kindDouble:
			made[number] = pick(amounts)
		case kindInt:
			made[number] = pick(counts)
		case kindBool:
			made[number] = pick([]any{true, false})
		case kindStrings:
			made[number] = pick([]any{[]string{}, []string{"shell"}, []string{"shell", "pay"}})
		case kindTexts:
			made[number] = pick([]any{map[string]string{}, map[string]string{"tier": "free", "a": ""}})
		case kindFlags:
			made[number] = pick([]any{map[string]bool{}, map[string]bool{"pilot": true}})
		case kindTimestamp:
			made[number] = time.Unix(1_790_000_000, 0)
		}
	}
	return made
}

// checkQuick compares the answer that is given at once with that of CEL, and says whether there was one.
func checkQuick(t *testing.T, compiled *condition, known *Known) bool {
	scope := &Scope{static: *known}
	for number := range table.Inputs {
		scope.values[number] = valueOf(known[number])
	}
	bound := bind(scope, known)
	defer bound.done()
	answer := compiled.quick(bound)
	if answer == open {
		return false
	}
	found, _, err := compiled.program.Eval(bound)
	if answer == fails {
		require.Error(t, err, "%s\n%v", compiled.text, *known)
		missing := func(number int) bool { return known[number] == nil }
		require.True(t, slices.ContainsFunc(compiled.reads, missing), "%s\n%v", compiled.text, *known)
		return true
	}
	require.NoError(t, err, "%s\n%v", compiled.text, *known)
	require.Equal(t, answer == yes, found.Value(), "%s\n%v", compiled.text, *known)
	return true
}

func TestAnswersAtOnceAreThoseOfCEL(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	answers, all := 0, 0
	check := func(text string, times int) {
		compiled, err := compile(text, "x")
		require.NoError(t, err, text)
		for range times {
			all++
			if checkQuick(t, compiled, anyFacts(random)) {
				answers++
			}
		}
	}
	for _, piece := range forms {
		check(piece, 200)
	}
	for range 400 {
		check(anyCondition(random, 3), 20)
	}
	assert.Greater(t, answers, all/4, "few conditions are answered at once")
}

func TestFormsOfMostRulesAreAnsweredAtOnce(t *testing.T) {
	var known Known
	for name, value := range neutral() {
		known.Set(name, value)
	}
	known.Set("model", "gpt-4.1")
	for _, text := range []string{
		"model == 'o3'", "input_tokens > 200000", "has_estimated_cost && estimated_cost > 5.0", "tools.size() > 20", "!streamed",
		"model.startsWith('o1') && team == 'growth'", "environment == 'development' && estimated_cost > 0.5",
		"team == 'other' && tools.exists(t, t == 'shell')", "model in ['o1', 'o3'] || input_tokens > 200000",
	} {
		compiled, err := compile(text, "x")
		require.NoError(t, err)
		assert.True(t, checkQuick(t, compiled, &known), text)
	}
}

func FuzzAnswersAtOnceAreThoseOfCEL(f *testing.F) {
	f.Add(strings.Join(forms[:4], " && "), uint64(1))
	f.Add(strings.Join(forms[4:12], " || "), uint64(2))
	for i, piece := range forms {
		f.Add(piece, uint64(i))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		compiled, err := compile(text, "x")
		if err != nil {
			t.Skip()
		}
		checkQuick(t, compiled, anyFacts(rand.New(rand.NewPCG(seed, 0))))
	})
}
