package policyprocessor

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/genai"
	"github.com/genops-ai/genops/collector/internal/names"
	"github.com/genops-ai/genops/collector/internal/policy"
	"github.com/genops-ai/genops/collector/internal/pricing"
)

// call is what a span or a record says of one call, as the inputs of rules.
type call struct {
	seen
	reading genai.Reading
	stated  attribution.Statement
	told    genai.Call
	who     attribution.Attribution
	at      time.Time
	buffer  []byte // of keys
}

// look takes all attributes of a call in one pass.
func (c *call) look(attributes pcommon.Map, by *attribution.Resolver) {
	c.attributes = attributes
	for name, value := range attributes.All() {
		key := names.KeyOf(name)
		c.seen.take(key, name, value)
		c.reading.Take(key, name, value)
		by.Take(&c.stated, key, name, value)
	}
}

// clear forgets a call, so that the memory of another can be used.
func (c *call) clear() { *c = call{buffer: c.buffer} }

var (
	inputTags           = policy.Number("tags")
	inputClassification = policy.Number("data_classification")
	inputStreamed       = policy.Number("streamed")
	inputCost           = policy.Number("estimated_cost")
	inputTokens         = policy.Number("input_tokens")
	inputMaxOutput      = policy.Number("max_output_tokens")
	inputTools          = policy.Number("tools")
	inputEntities       = policy.Number("entities")
	inputBudgetUsed     = policy.Number("budget_used")
	inputNow            = policy.Number("now")
)

// texts are the inputs that are one text each, by number; nil for others.
var texts = func() []func(c *call) string {
	made := make([]func(c *call) string, len(policy.Inputs()))
	for number, text := range textInputs {
		made[number] = text
	}
	return made
}()

var textInputs = map[int]func(c *call) string{
	policy.Number("provider"):       func(c *call) string { return c.told.Provider },
	policy.Number("operation"):      (*call).operation,
	policy.Number("operation_type"): func(c *call) string { return c.told.Type },
	policy.Number("model"):          (*call).model,
	policy.Number("region"):         (*call).region,
	policy.Number("host"):           func(c *call) string { return c.told.ServerAddress },
	inputClassification:             (*call).classification,
}

// inputFields are the fields of the attribution by the number of their input; -1 for other inputs.
var inputFields = func() []int {
	made := make([]int, len(policy.Inputs()))
	for number, input := range policy.Inputs() {
		made[number] = attribution.Field(input.Name)
	}
	return made
}()

func (c *call) operation() string {
	if stated := c.text(seenOperation); stated != "" {
		return stated
	}
	if c.told.Type == "embedding" {
		return "embeddings"
	}
	return "chat"
}

// model is the one that was asked for; of a span that names only the one that answered, that one.
func (c *call) model() string {
	if c.told.RequestModel != "" {
		return c.told.RequestModel
	}
	return c.told.ResponseModel
}

func (c *call) region() string {
	if stated := c.text(seenRegion); stated != "" {
		return stated
	}
	return c.told.Region
}

func (c *call) classification() string {
	if stated := c.text(seenClassification); stated != "" {
		return stated
	}
	return c.text(seenTagged)
}

// key tells kinds of calls apart: what the rules look at, each text after its length.
func (c *call) key(by *ruled) []byte {
	key := c.buffer[:0]
	for _, field := range by.fields {
		key = appended(key, c.who[field])
	}
	for _, number := range by.keyed {
		switch {
		case inputFields[number] >= 0:
			key = appended(key, c.who[inputFields[number]])
		case texts[number] != nil:
			key = appended(key, texts[number](c))
		case number == inputStreamed:
			streamed := "n"
			if c.streamed() {
				streamed = "y"
			}
			key = appended(key, streamed)
		case number == inputTags:
			key = c.appendTags(key)
		}
	}
	c.buffer = key
	return key
}

func appended(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}

func (c *call) appendTags(key []byte) []byte {
	if !c.hasTags {
		return append(key, 0)
	}
	found := c.tags()
	names := slices.Sorted(maps.Keys(found))
	key = binary.AppendUvarint(key, uint64(len(names)))
	for _, name := range names {
		key = appended(appended(key, name), found[name])
	}
	return key
}

// static is the value of an input that calls of a kind have in common; nil where it is not known.
func (c *call) static(number int) any {
	text := ""
	switch {
	case inputFields[number] >= 0:
		text = c.who[inputFields[number]]
	case texts[number] != nil:
		text = texts[number](c)
	case number == inputStreamed:
		return c.streamed()
	case number == inputTags:
		return c.tags()
	}
	if text == "" {
		return nil
	}
	return text
}

// Fact is the value of an input of the single call, as far as it is known after the call.
func (c *call) Fact(number int) any {
	switch number {
	case inputCost:
		cost, ok := c.number(seenCost)
		if currency := c.text(seenCurrency); ok && (currency == "" || currency == pricing.Currency) {
			return cost // what it cost is the bound that an SDK would have had to know
		}
	case inputTokens:
		if tokens := c.told.Tokens; tokens.Stated {
			return tokens.Input + tokens.CacheRead + tokens.CacheWrite + tokens.CacheWrite1h
		}
	case inputMaxOutput:
		if limit, ok := c.maxOutputTokens(); ok {
			return limit
		}
		if c.told.Tokens.HasOutput {
			return c.told.Tokens.Output
		}
	case inputTools:
		return c.tools()
	case inputEntities:
		return c.entities()
	case inputBudgetUsed:
		used, known := c.number(seenConsumed)
		allocated, _ := c.number(seenAllocated)
		if known && allocated > 0 {
			return used / allocated
		}
	case inputNow:
		return c.at
	}
	return nil
}
