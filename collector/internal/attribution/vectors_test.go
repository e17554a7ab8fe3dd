package attribution

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T, name string, into any) {
	text, err := os.ReadFile("../../../spec/vectors/attribution/" + name)
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(into))
}

// Every source of the vectors is a layer; the Collector's own sources are layers of the same kind.
func TestPrecedence(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Name    string                     `json:"name"`
			Sources map[string]json.RawMessage `json:"sources"`
			Expect  map[string]any             `json:"expect"`
		} `json:"cases"`
	}
	read(t, "precedence.json", &vectors)
	require.NotEmpty(t, vectors.Cases)
	for _, each := range vectors.Cases {
		t.Run(each.Name, func(t *testing.T) {
			var got Attribution
			for _, source := range []string{"derived", "default", "file", "environment", "baggage", "context", "call"} {
				for _, layer := range layers(t, each.Sources[source]) {
					for name, value := range layer {
						if name != "tags" && value != nil {
							got.Set(Field(name), fmt.Sprint(value))
						}
					}
				}
			}
			want := Attribution{}
			for name, value := range each.Expect {
				if name != "tags" { // tags stay on the span as they are
					want[Field(name)] = fmt.Sprint(value)
				}
			}
			assert.Equal(t, want, got)
		})
	}
}

func layers(t *testing.T, text json.RawMessage) []map[string]any {
	if text == nil {
		return nil
	}
	decode := func(into any) error {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		return decoder.Decode(into)
	}
	var several []map[string]any
	if decode(&several) == nil {
		return several
	}
	var one map[string]any
	require.NoError(t, decode(&one))
	return []map[string]any{one}
}

func TestRules(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Name        string            `json:"name"`
			Rules       map[string]Rule   `json:"rules"`
			Attribution map[string]string `json:"attribution"`
			Result      string            `json:"result"`
			Broken      []string          `json:"broken"`
		} `json:"cases"`
	}
	read(t, "rules.json", &vectors)
	require.NotEmpty(t, vectors.Cases)
	for _, each := range vectors.Cases {
		t.Run(each.Name, func(t *testing.T) {
			rules, err := NewRules(each.Rules)
			require.NoError(t, err)
			var given Attribution
			for name, value := range each.Attribution {
				given.Set(Field(name), value)
			}
			result, broken := "ALLOWED", []string{}
			for _, each := range rules.Check(&given) {
				broken = append(broken, each.Field)
				if each.Blocking {
					result = "BLOCKED"
				} else if result == "ALLOWED" {
					result = "WARNING"
				}
			}
			assert.Equal(t, each.Broken, broken)
			assert.Equal(t, each.Result, result)
		})
	}
}
