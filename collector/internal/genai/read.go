package genai

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/names"
	"github.com/genops-ai/genops/collector/internal/pricing"
	"github.com/genops-ai/genops/collector/internal/usage"
)

// Call is one request to a model as a span tells it. Texts are empty where the span does not say.
type Call struct {
	Type          string // inference or embedding
	Provider      string // who sends the bill
	RequestModel  string
	ResponseModel string
	ResponseID    string
	ServiceTier   string
	ServerAddress string
	Region        string // where the host says that it runs
	Tokens        Tokens
	// Malformed says which count is none, and what is there: "gen_ai.usage.input_tokens is -5".
	Malformed string
}

// Tokens are disjoint counts: Input is what no other count of input covers. Stated is whether there is any.
type Tokens struct {
	Input, CacheRead, CacheWrite, CacheWrite1h, Output int64
	Stated, HasOutput                                  bool
}

const (
	usageJSON    = "langfuse.observation.usage_details"
	longestJSON  = 64 << 10
	mostOneCalls = 1_000_000_000_000 // tokens: no request has a trillion of them
)

// Reading is what attributes tell of a call, as they are taken one after the other.
type Reading struct {
	values     [facts]pcommon.Value
	ranks      [facts]uint8 // one more than the rank of the name that was found; 0 for nothing
	details    pcommon.Value
	hasDetails bool
	malformed  string
}

// Read is the call that a span stands for; false if it stands for none. The scope's name decides what input means.
func Read(scope string, attributes pcommon.Map) (Call, bool) {
	var found Reading
	for name, value := range attributes.All() {
		found.Take(names.KeyOf(name), name, value)
	}
	return found.Call(scope)
}

// Take reads one attribute; key is that of its name.
func (r *Reading) Take(key names.Key, name string, value pcommon.Value) {
	if at := places.Get(key, name); at != nil {
		r.put(*at, value)
	} else if name == usageJSON && value.Type() == pcommon.ValueTypeStr {
		r.details, r.hasDetails = value, true
	}
}

func (r *Reading) put(at place, value pcommon.Value) {
	if r.ranks[at.fact] == 0 || at.rank+1 < r.ranks[at.fact] {
		r.values[at.fact], r.ranks[at.fact] = value, at.rank+1
	}
}

// Call is the call that was read of a span under a scope; false if it stands for none.
func (r *Reading) Call(scope string) (Call, bool) {
	kind := ""
	if r.ranks[operation] > 0 {
		kind = dialects.Operations[r.values[operation].Str()]
	}
	if kind == "" {
		return Call{}, false
	}
	if r.hasDetails {
		r.spread(r.details.Str())
	}
	call := Call{
		Type: kind, RequestModel: r.text(requestModel), ResponseModel: r.text(responseModel),
		ResponseID: r.text(responseID), ServiceTier: r.text(serviceTier), ServerAddress: r.text(serverAddress),
	}
	// Langfuse does not say whose a model is; its name does, for those of OpenAI and Anthropic.
	if name := r.text(provider); name != "" {
		call.Provider = ProviderNamed(name)
	} else {
		call.Provider = ProviderOfModel(call.RequestModel)
	}
	apart := countsApart(scope, call.Provider)
	if call.ServerAddress != "" {
		var biller string
		if biller, call.Region = usage.ProviderOfHost(call.ServerAddress); biller != "" {
			call.Provider = biller
		}
	}
	call.Tokens = r.tokens(apart)
	call.Malformed = r.malformed
	return call, true
}

// spread reads usage that is kept as JSON.
func (r *Reading) spread(text string) {
	if len(text) > longestJSON {
		r.malformed = usageJSON + " is too long"
		return
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var details map[string]json.Number
	if decoder.Decode(&details) != nil {
		r.malformed = usageJSON + " is no JSON of counts"
		return
	}
	for name, amount := range details {
		value := pcommon.NewValueStr(amount.String())
		if whole, err := amount.Int64(); err == nil {
			value = pcommon.NewValueInt(whole)
		}
		name = usageJSON + "." + name
		if at := places.Get(names.KeyOf(name), name); at != nil {
			r.put(*at, value)
		}
	}
}

func (r *Reading) text(which fact) string {
	if r.ranks[which] == 0 || r.values[which].Type() != pcommon.ValueTypeStr {
		return ""
	}
	return r.values[which].Str()
}

func (r *Reading) tokens(apart bool) Tokens {
	total, hasInput := r.count(input)
	out, hasOutput := r.count(output)
	found := Tokens{Output: out, HasOutput: hasOutput, Stated: hasInput || hasOutput}
	found.CacheRead, _ = r.count(cacheRead)
	found.CacheWrite1h, _ = r.count(cacheWrite1h)
	written, _ := r.count(cacheWrite)
	found.CacheWrite = max(written-found.CacheWrite1h, 0)
	if !apart {
		total -= found.CacheRead + found.CacheWrite + found.CacheWrite1h
	}
	found.Input = max(total, 0)
	return found
}

// count is a count of tokens; false where none is stated. What is no count is not taken for one.
func (r *Reading) count(which fact) (int64, bool) {
	if r.ranks[which] == 0 {
		return 0, false
	}
	value := r.values[which]
	switch value.Type() {
	case pcommon.ValueTypeInt:
		if whole := value.Int(); whole >= 0 && whole <= mostOneCalls {
			return whole, true
		}
	case pcommon.ValueTypeDouble:
		if amount := value.Double(); amount >= 0 && amount <= mostOneCalls {
			return int64(math.Trunc(amount)), true
		}
	default:
	}
	name := dialects.Attributes[factNames[which]][r.ranks[which]-1]
	r.malformed = name + " is " + shown(value) + ", no count of tokens"
	return 0, false
}

func shown(value pcommon.Value) string {
	const longest = 40
	text := value.AsString()
	if value.Type() == pcommon.ValueTypeStr {
		text = strconv.Quote(text)
	}
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	return text
}

// Usage is what the call used, in the meters of the price book; room is for at most five of them.
func (c *Call) Usage(room []pricing.Used) pricing.Usage {
	made := pricing.NewUsage()
	if !c.Tokens.Stated {
		return made
	}
	made.Meters = room
	for _, each := range [...]struct {
		meter string
		count int64
		stays bool
	}{
		{"input", c.Tokens.Input, true}, {"cache_read", c.Tokens.CacheRead, false},
		{"cache_write", c.Tokens.CacheWrite, false}, {"cache_write_1h", c.Tokens.CacheWrite1h, false},
		{"output", c.Tokens.Output, c.Tokens.HasOutput},
	} {
		if each.count != 0 || each.stays {
			made.Meters = append(made.Meters, pricing.Used{Meter: each.meter, Quantity: pricing.Whole(each.count)})
		}
	}
	return made
}
