package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func vectors(t testing.TB, name string, into any) {
	text, err := os.ReadFile("../../../spec/vectors/policy/" + name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into))
}

// ordered is an object of texts with its keys in their order.
type ordered struct{ names, texts []string }

func (o *ordered) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil
		}
		if word, ok := token.(string); ok {
			if len(o.names) == len(o.texts) {
				o.names = append(o.names, word)
			} else {
				o.texts = append(o.texts, word)
			}
		}
	}
}

type expected struct {
	Result     string   `json:"result"`
	Rule       string   `json:"rule"`
	ReasonCode string   `json:"reason_code"`
	Message    string   `json:"message"`
	Fix        string   `json:"fix"`
	Rules      []string `json:"rules"`
	True       []string `json:"true"`
	Shadow     []string `json:"shadow"`
	Errors     []string `json:"errors"`
	Exceptions []string `json:"exceptions"`
	Actions    []string `json:"actions"`
}

// given reads the input of a call as the input of a test in a policy file.
func given(t testing.TB, text []byte) map[string]any {
	root, err := parse(text, "input")
	require.NoError(t, err)
	found := neutral()
	r := &reader{}
	r.given(root, found)
	require.NoError(t, r.err)
	return found
}

// try asks rules about a call that somebody describes.
func try(t testing.TB, set *Set, input map[string]any, at time.Time) (*Decision, []string) {
	flags := map[string]bool{}
	for name, on := range set.flags {
		flags[name] = on
	}
	if own, ok := input["flags"].(map[string]bool); ok {
		for name, on := range own {
			flags[name] = on
		}
	}
	asked, err := NewSet(set.Rules, set.Exemptions, flags)
	require.NoError(t, err)
	var known Known
	for name, value := range input {
		known.Set(name, value)
	}
	scope := asked.Scope(&known)
	first := scope.Decide(&known, at)
	assert.Equal(t, first, scope.Decide(&known, at), "what is remembered is what was decided")
	return first, truths(scope, &known)
}

// truths are the rules that are true of a call, or could not be decided, in the order of the files.
func truths(scope *Scope, dynamic Facts) []string {
	bound := bind(scope, dynamic)
	defer bound.done()
	found := scope.withSettled(bound.findings())
	names := make([]string, 0, len(found))
	for _, each := range found {
		names = append(names, each.rule.Name)
	}
	return names
}

func TestDecisionsAreThoseOfPython(t *testing.T) {
	var read struct {
		Cases []struct {
			Name        string   `json:"name"`
			Files       ordered  `json:"files"`
			TrustedKeys []string `json:"trusted_keys"`
			Version     string   `json:"version"`
			Calls       []struct {
				Input  json.RawMessage `json:"input"`
				Expect expected        `json:"expect"`
			} `json:"calls"`
		} `json:"cases"`
	}
	vectors(t, "decisions.json", &read)
	require.NotEmpty(t, read.Cases)
	for _, each := range read.Cases {
		t.Run(each.Name, func(t *testing.T) {
			var sources []Source
			for i, name := range each.Files.names {
				sources = append(sources, Source{name, []byte(each.Files.texts[i])})
			}
			set, err := Load(sources, each.TrustedKeys)
			require.NoError(t, err)
			assert.Equal(t, each.Version, set.Version)
			for _, call := range each.Calls {
				input := given(t, call.Input)
				decision, truths := try(t, set, input, input["now"].(time.Time))
				assert.Equal(t, call.Expect, told(decision, truths), "%s", call.Input)
			}
		})
	}
}

func told(decision *Decision, truths []string) expected {
	found := expected{
		Result: decision.Result(), Rules: decision.Rules(), Shadow: decision.Shadow, Errors: decision.Errors,
		Exceptions: decision.Exceptions, Actions: decision.Actions.Described(),
	}
	if len(decision.Violations) > 0 {
		first := decision.Violations[0]
		found.Rule, found.ReasonCode, found.Message, found.Fix = first.Rule, first.ReasonCode, first.Message, first.Fix
	}
	if !slices.Equal(truths, found.Rules) {
		found.True = truths
	}
	return found
}

func TestMistakesAreThoseOfPython(t *testing.T) {
	var read struct {
		Cases []struct{ Name, Text, Place, Says, Fix string } `json:"cases"`
	}
	vectors(t, "mistakes.json", &read)
	require.NotEmpty(t, read.Cases)
	for _, each := range read.Cases {
		t.Run(each.Name, func(t *testing.T) {
			_, err := Parse([]byte(each.Text), "policy.yaml")
			var found *Error
			require.True(t, errors.As(err, &found), "%v", err)
			assert.Equal(t, each.Place, found.Place)
			assert.True(t, strings.HasPrefix(found.Message, each.Says), "%q\n%q", each.Says, found.Message)
			if each.Fix != "" {
				assert.Equal(t, each.Fix, found.Fix)
			}
		})
	}
}

func TestConditionsAreThoseOfPython(t *testing.T) {
	var read struct {
		Facts json.RawMessage `json:"facts"`
		Cases []struct {
			Condition string
			Expect    any
		} `json:"cases"`
		Differences []struct {
			Condition string
			Python    any
			Go        any
		} `json:"differences"`
	}
	vectors(t, "conditions.json", &read)
	require.NotEmpty(t, read.Cases)
	var known Known
	for name, value := range given(t, read.Facts) {
		known.Set(name, value)
	}
	outcome := func(text string) any {
		compiled, err := compile(text, "x")
		if err != nil {
			return "refused"
		}
		scope := &Scope{static: known}
		for number := range table.Inputs {
			scope.values[number] = valueOf(known[number])
		}
		holds, err := compiled.holds(bind(scope, &known))
		if err != nil {
			return "error"
		}
		return holds
	}
	for _, each := range read.Cases {
		assert.Equal(t, each.Expect, outcome(each.Condition), each.Condition)
	}
	for _, each := range read.Differences {
		if strings.Contains(each.Condition, "Local") {
			continue // it depends on the machine, which is what is wrong with it
		}
		assert.Equal(t, each.Go, outcome(each.Condition), each.Condition)
	}
}

func TestCookbookPassesItsOwnTests(t *testing.T) {
	paths, err := filepath.Glob("../../../examples/policies/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		file, err := Parse(text, path)
		require.NoError(t, err)
		set, err := Join([]*File{file}, nil)
		require.NoError(t, err)
		require.NotEmpty(t, file.Tests, path)
		for _, each := range file.Tests {
			t.Run(file.Name+"/"+each.Name, func(t *testing.T) {
				at, ok := each.Given["now"].(time.Time)
				if !ok {
					at = time.Now()
					each.Given["now"] = at
				}
				decision, truths := try(t, set, each.Given, at)
				assert.Equal(t, each.Decision, decision.Result())
				if each.HasRules {
					assert.ElementsMatch(t, each.Rules, truths)
				}
				if each.ReasonCode != "" {
					require.NotEmpty(t, decision.Violations)
					assert.Equal(t, each.ReasonCode, decision.Violations[0].ReasonCode)
				}
				if each.Actions != nil {
					assert.Equal(t, each.Actions.Described(), decision.Actions.Described())
				}
			})
		}
	}
}
