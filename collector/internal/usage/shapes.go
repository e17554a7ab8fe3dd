package usage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"sync"

	"github.com/genops-ai/genops/collector/internal/data"
	"github.com/genops-ai/genops/collector/internal/pricing"
)

// What usage_shapes.json says, as it says it.
type document struct {
	Shapes    map[string]*facts            `json:"shapes"`
	APIs      map[string]string            `json:"apis"`
	Providers map[string]map[string]string `json:"providers"`
	Hosts     pairs[[2]any]                `json:"hosts"`
}

type facts struct {
	Usage           string          `json:"usage"`
	Input           string          `json:"input"`
	Inclusive       bool            `json:"inclusive"`
	Parts           pairs[string]   `json:"parts"`
	Within          pairs[[]string] `json:"within"`
	Uncached        pairs[string]   `json:"uncached"`
	AdditionalInput string          `json:"additional_input"`
	Output          string          `json:"output"`
	OutputParts     pairs[string]   `json:"output_parts"`
	OutputDefault   string          `json:"output_default"`
	Reasoning       string          `json:"reasoning"`
	ReasoningIs     string          `json:"reasoning_is"`
	Total           string          `json:"total"`
	Meters          pairs[string]   `json:"meters"`
	Cost            string          `json:"cost"`
	CostPerUSD      string          `json:"cost_per_usd"`
}

// pairs are the members of a JSON object in their order.
type pairs[T any] []pair[T]

type pair[T any] struct {
	name  string
	value T
}

func (p *pairs[T]) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var value T
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		*p = append(*p, pair[T]{fmt.Sprint(name), value})
	}
	return nil
}

type metered struct {
	meter, outer string
	get          getter
}

// shape is one compiled shape. A getter that is nil reads nothing.
type shape struct {
	usage, input, additional, output, reasoning, total, cost getter

	inclusive     bool
	parts         []metered
	within        []metered
	uncached      pairs[string]
	outputParts   []metered
	outputDefault string
	reasoningIs   string
	meters        []metered
	costPerUSD    *big.Rat
}

type table struct {
	shapes    map[string]*shape
	apis      map[string]string
	providers map[string]map[string]string
	hosts     []host
}

var shapes = sync.OnceValues(func() (*table, error) {
	var read document
	if err := json.Unmarshal(data.UsageShapes, &read); err != nil {
		return nil, fmt.Errorf("usage shapes: %w", err)
	}
	found := &table{map[string]*shape{}, read.APIs, read.Providers, read.hosts()}
	for name, given := range read.Shapes {
		compiled, err := newShape(given)
		if err != nil {
			return nil, fmt.Errorf("usage shape %s: %w", name, err)
		}
		found.shapes[name] = compiled
	}
	return found, nil
})

func newShape(given *facts) (*shape, error) {
	made := &shape{
		inclusive: given.Inclusive, uncached: given.Uncached, outputDefault: given.OutputDefault,
		reasoningIs: given.ReasoningIs, costPerUSD: new(big.Rat).SetInt64(1),
	}
	if made.outputDefault == "" {
		made.outputDefault = "output"
	}
	if made.reasoningIs == "" {
		made.reasoningIs = "subset"
	}
	if given.CostPerUSD != "" {
		if _, ok := made.costPerUSD.SetString(given.CostPerUSD); !ok {
			return nil, fmt.Errorf("cost_per_usd is %q", given.CostPerUSD)
		}
	}
	for path, into := range map[*string]*getter{
		&given.Usage: &made.usage, &given.Input: &made.input, &given.AdditionalInput: &made.additional,
		&given.Output: &made.output, &given.Reasoning: &made.reasoning, &given.Total: &made.total, &given.Cost: &made.cost,
	} {
		if *path == "" {
			continue
		}
		var err error
		if *into, err = compile(*path); err != nil {
			return nil, err
		}
	}
	return made, made.compileParts(given)
}

func (s *shape) compileParts(given *facts) error {
	for _, each := range []struct {
		from pairs[string]
		into *[]metered
	}{{given.Parts, &s.parts}, {given.OutputParts, &s.outputParts}, {given.Meters, &s.meters}} {
		for _, one := range each.from {
			compiled, err := compile(one.value)
			if err != nil {
				return err
			}
			*each.into = append(*each.into, metered{meter: one.name, get: compiled})
		}
	}
	for _, one := range given.Within {
		if len(one.value) != 2 {
			return fmt.Errorf("within %s: expected a meter and a path", one.name)
		}
		compiled, err := compile(one.value[1])
		if err != nil {
			return err
		}
		s.within = append(s.within, metered{one.name, one.value[0], compiled})
	}
	return nil
}

// whole is a count of tokens; false where none is stated.
func whole(read getter, stated, response, request any) (int64, bool) {
	if read == nil {
		return 0, false
	}
	exact := number(read(stated, response, request))
	if exact == nil {
		return 0, false
	}
	count := new(big.Int).Quo(exact.Num(), exact.Denom())
	if !count.IsInt64() {
		return 0, false
	}
	return count.Int64(), true
}

// read is the usage that an answer states, and the cost if the provider states it.
func (s *shape) read(response, request any) (usage *pricing.Usage, cost *big.Rat) {
	stated := response
	if s.usage != nil {
		stated = s.usage(response, response, request)
	}
	found := pricing.NewUsage()
	s.readInput(&found, stated, response, request)
	s.readOutput(&found, stated, response, request)
	for _, each := range s.meters {
		if exact := number(each.get(stated, response, request)); exact != nil && exact.Sign() > 0 {
			found.Set(each.meter, pricing.Exactly(exact))
		}
	}
	if len(found.Meters) == 0 {
		return nil, s.reported(stated, response, request)
	}
	return &found, s.reported(stated, response, request)
}

func (s *shape) readInput(found *pricing.Usage, stated, response, request any) {
	total, ok := whole(s.input, stated, response, request)
	if !ok {
		return
	}
	parts := &counts{}
	for _, each := range s.parts {
		if quantity, _ := whole(each.get, stated, response, request); quantity != 0 {
			parts.set(each.meter, quantity)
		}
	}
	for _, each := range s.within {
		quantity, _ := whole(each.get, stated, response, request)
		if inner := min(quantity, parts.get(each.outer)); inner != 0 {
			parts.set(each.meter, inner)
			parts.set(each.outer, parts.get(each.outer)-inner)
		}
	}
	for _, each := range s.uncached {
		if parts.has(each.name) {
			parts.set(each.value, max(parts.get(each.value)-parts.get(each.name), 0))
		}
	}
	rest := total
	if s.inclusive {
		rest -= parts.sum()
	}
	if rest < 0 {
		found.Flags, rest = append(found.Flags, "input_parts_exceed_total"), 0
	}
	additional, _ := whole(s.additional, stated, response, request)
	found.Set("input", pricing.Whole(rest+additional))
	for _, each := range *parts {
		if each.value != 0 {
			found.Set(each.name, pricing.Whole(each.value))
		}
	}
}

func (s *shape) readOutput(found *pricing.Usage, stated, response, request any) {
	reasoning, hasReasoning := whole(s.reasoning, stated, response, request)
	if hasReasoning {
		found.Reasoning = reasoning
	}
	total, ok := whole(s.output, stated, response, request)
	if !ok && reasoning == 0 {
		return
	}
	statedTotal, hasTotal := whole(s.total, stated, response, request)
	input, _ := found.Tokens()
	input = max(input, 0)
	if s.reasoningIs == "additive" || (s.reasoningIs == "identity" && hasTotal && statedTotal == input+total+reasoning) {
		total += reasoning
	}
	if hasTotal && statedTotal != input+total {
		found.Flags = append(found.Flags, "total_mismatch")
	}
	s.splitOutput(found, total, stated, response, request)
}

func (s *shape) splitOutput(found *pricing.Usage, total int64, stated, response, request any) {
	parts := &counts{}
	for _, each := range s.outputParts {
		quantity, _ := whole(each.get, stated, response, request)
		parts.set(each.meter, quantity)
	}
	rest := total - parts.sum()
	if rest < 0 {
		found.Flags, parts, rest = append(found.Flags, "output_parts_exceed_total"), &counts{}, total
	}
	if rest != 0 || parts.sum() == 0 {
		parts.set(s.outputDefault, parts.get(s.outputDefault)+rest)
	}
	for _, each := range *parts {
		if each.value != 0 || each.name == s.outputDefault {
			found.Set(each.name, pricing.Whole(each.value))
		}
	}
}

func (s *shape) reported(stated, response, request any) *big.Rat {
	if s.cost == nil {
		return nil
	}
	amount := number(s.cost(stated, response, request))
	if amount == nil {
		return nil
	}
	return new(big.Rat).Quo(amount, s.costPerUSD)
}

// counts are counts by meter, in the order in which they were stated.
type counts pairs[int64]

func (c *counts) get(meter string) int64 {
	for _, each := range *c {
		if each.name == meter {
			return each.value
		}
	}
	return 0
}

func (c *counts) has(meter string) bool {
	for _, each := range *c {
		if each.name == meter {
			return true
		}
	}
	return false
}

func (c *counts) set(meter string, value int64) {
	for i := range *c {
		if (*c)[i].name == meter {
			(*c)[i].value = value
			return
		}
	}
	*c = append(*c, pair[int64]{meter, value})
}

func (c *counts) sum() int64 {
	var total int64
	for _, each := range *c {
		total += each.value
	}
	return total
}
