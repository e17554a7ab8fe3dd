package genai

import (
	"encoding/json"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/names"
)

// requests are the names of what a request asks for besides the model.
type requests struct {
	Streamed        []string            `json:"streamed"`
	MaxOutputTokens []string            `json:"max_output_tokens"`
	Tools           []string            `json:"tools"`
	Parameters      []string            `json:"parameters"`
	ParameterNames  map[string][]string `json:"parameter_names"`
}

// Asked are what an attribute may tell of a request, as bits.
type Asked uint8

// What a request may ask for.
const (
	AskedStreamed Asked = 1 << iota
	AskedMaxOutputTokens
	AskedTools
)

// AskedBy is what an attribute of a name may tell; key is that of the name. Where no attribute of a span tells something,
// the functions below need not be asked for it: there is none.
func AskedBy(key names.Key, name string) Asked {
	if found := askedBy.Get(key, name); found != nil {
		return *found
	}
	if !strings.HasPrefix(name, numberedBegin) {
		return 0
	}
	for _, each := range numberedTools {
		if strings.HasPrefix(name, each[0]) && strings.HasSuffix(name, each[1]) {
			return AskedTools
		}
	}
	return 0
}

var askedBy = func() *names.Table[Asked] {
	made := map[string]Asked{streamedByName: AskedStreamed}
	add := func(all []string, asked Asked) {
		for _, name := range all {
			made[name] |= asked
		}
	}
	add(dialects.Requests.Streamed, AskedStreamed)
	add(dialects.Requests.MaxOutputTokens, AskedMaxOutputTokens)
	add(dialects.Requests.Tools, AskedTools)
	add(dialects.Requests.Parameters, AskedStreamed|AskedMaxOutputTokens|AskedTools)
	return names.New(made)
}()

// numberedBegin is how all names with a number begin.
var numberedBegin = func() string {
	begin := ""
	for i, each := range numberedTools {
		if i == 0 {
			begin = each[0]
		}
		for !strings.HasPrefix(each[0], begin) {
			begin = begin[:len(begin)-1]
		}
	}
	return begin
}()

// numberedTools are what the names of tools begin and end with that have a number between.
var numberedTools = func() (made [][2]string) {
	for _, name := range dialects.Requests.Tools {
		if before, after, numbered := strings.Cut(name, "*"); numbered {
			made = append(made, [2]string{before, after})
		}
	}
	return made
}()

const streamedByName = "ai.operationId" // "ai.streamText"

const mostTools = 1000 // of one request that are read

// Streamed is whether the answer came in pieces, as far as the span says so.
func Streamed(attributes pcommon.Map) bool {
	for _, name := range dialects.Requests.Streamed {
		if value, ok := attributes.Get(name); ok && value.Type() == pcommon.ValueTypeBool {
			return value.Bool()
		}
	}
	if operation, ok := attributes.Get(streamedByName); ok && strings.HasPrefix(operation.Str(), "ai.stream") {
		return true
	}
	streamed, _ := parameter(attributes, "streamed").(bool)
	return streamed
}

// MaxOutputTokens is the limit on the output that the request set; false if the span tells of none.
func MaxOutputTokens(attributes pcommon.Map) (int64, bool) {
	for _, name := range dialects.Requests.MaxOutputTokens {
		if value, ok := attributes.Get(name); ok && value.Type() == pcommon.ValueTypeInt {
			return limit(value.Int(), value.Int() >= 0)
		}
	}
	number, ok := parameter(attributes, "max_output_tokens").(json.Number)
	if !ok {
		return 0, false
	}
	whole, err := number.Int64()
	return limit(whole, err == nil && whole >= 0)
}

func limit(tokens int64, ok bool) (int64, bool) {
	return min(tokens, mostOneCalls), ok
}

// Tools are the names of the tools that the model was offered; of one without a name, its type. Empty where the span
// does not tell.
func Tools(attributes pcommon.Map) []string {
	found := []string{}
	for _, name := range dialects.Requests.Tools {
		before, after, numbered := strings.Cut(name, "*")
		if !numbered {
			if value, ok := attributes.Get(name); ok {
				found = append(found, toolNames(plain(value))...)
			}
			continue
		}
		for attribute, value := range attributes.All() {
			if strings.HasPrefix(attribute, before) && strings.HasSuffix(attribute, after) && len(found) < mostTools {
				found = append(found, toolNames(plain(value))...)
			}
		}
	}
	if len(found) == 0 {
		found = append(found, toolNames(parameter(attributes, "tools"))...)
	}
	return found[:min(len(found), mostTools)]
}

// plain is the value, read as JSON where it is text that may be some.
func plain(value pcommon.Value) any {
	if value.Type() != pcommon.ValueTypeStr {
		return value.AsRaw()
	}
	text := strings.TrimSpace(value.Str())
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return text
	}
	return decoded(text)
}

func decoded(text string) any {
	var read any
	if len(text) > longestJSON {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&read) != nil {
		return nil
	}
	return read
}

func toolNames(given any) []string {
	switch given := given.(type) {
	case string:
		if text := strings.TrimSpace(given); strings.HasPrefix(text, "{") {
			return toolNames(decoded(text))
		}
		if given != "" {
			return []string{given}
		}
	case []any:
		var found []string
		for _, each := range given[:min(len(given), mostTools)] {
			found = append(found, toolNames(each)...)
		}
		return found
	case map[string]any:
		inner, _ := given["function"].(map[string]any)
		for _, name := range []any{inner["name"], given["name"], given["type"]} {
			if text, ok := name.(string); ok && text != "" {
				return []string{text}
			}
		}
	}
	return nil
}

// parameter is one of the parameters of a request that are kept as a JSON object; nil if it is not there.
func parameter(attributes pcommon.Map, which string) any {
	for _, name := range dialects.Requests.Parameters {
		value, ok := attributes.Get(name)
		if !ok {
			continue
		}
		object, _ := plain(value).(map[string]any)
		for _, key := range dialects.Requests.ParameterNames[which] {
			if found, ok := object[key]; ok {
				return found
			}
		}
	}
	return nil
}
