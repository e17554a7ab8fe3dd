// Package policy reads the policy files of a user and decides about calls, as genops.core.rules does in Python: the same
// files, inputs, mistakes and decisions.
//
// Source: spec/policy/README.md; vectors in spec/vectors/policy.
package policy

import (
	"encoding/json"

	"github.com/genops-ai/genops/collector/internal/data"
)

// The types of CEL that inputs have.
const (
	kindString    = "string"
	kindBool      = "bool"
	kindInt       = "int"
	kindDouble    = "double"
	kindTimestamp = "timestamp"
	kindStrings   = "list(string)"
	kindTexts     = "map(string, string)"
	kindFlags     = "map(string, bool)"
)

// has is what the name of an optional input is prefixed with, to ask whether it is known.
const has = "has_"

// Input is one fact of a call. A dynamic one differs between calls of the same kind for the same payer.
type Input struct {
	Name     string `json:"name"`
	Kind     string `json:"type"`
	Optional bool   `json:"optional"`
	Dynamic  bool   `json:"dynamic"`
}

var table = func() (read struct {
	Inputs []Input  `json:"inputs"`
	Match  []string `json:"match"`
}) {
	if err := json.Unmarshal(data.PolicyInputs, &read); err != nil {
		panic("genops: policy_inputs.json of this build is broken: " + err.Error())
	}
	if len(read.Inputs) > mostInputs {
		panic("genops: policy_inputs.json has more inputs than this build has room for")
	}
	return read
}()

const mostInputs = 32

// Inputs are all inputs, in their order.
func Inputs() []Input { return table.Inputs }

// numbers are the places of inputs in the table.
var numbers = func() map[string]int {
	made := map[string]int{}
	for i, input := range table.Inputs {
		made[input.Name] = i
	}
	return made
}()

var inputNames = func() (names []string) {
	for _, input := range table.Inputs {
		names = append(names, input.Name)
	}
	return names
}()

// conditionNames are the names that a condition may use.
var conditionNames = func() []string {
	names := append([]string{}, inputNames...)
	for _, input := range table.Inputs {
		if input.Optional {
			names = append(names, has+input.Name)
		}
	}
	return names
}()

// in messages: the inputs that read well in a sentence.
var messageNames = func() (names []string) {
	for _, input := range table.Inputs {
		switch input.Kind {
		case kindString, kindInt, kindDouble, kindStrings:
			names = append(names, input.Name)
		}
	}
	return names
}()

// Number is the place of an input in the table; -1 for a name that is none.
func Number(name string) int {
	if number, ok := numbers[name]; ok {
		return number
	}
	return -1
}

// Facts are the inputs of one call. A value is a string, bool, int64, float64, time.Time, []string, map[string]string or
// map[string]bool, by the type of the input; nil where the fact is not known.
type Facts interface {
	Fact(number int) any
}

// Known are facts by the number of their input.
type Known [mostInputs]any

// Fact is the value of an input.
func (k *Known) Fact(number int) any { return k[number] }

// Set lays down the value of an input by its name.
func (k *Known) Set(name string, value any) { k[numbers[name]] = value }
