// Package genai reads what a span says about a call to a model, whichever instrumentation wrote it.
//
// The names are data (spec/dialects); Python reads the same file.
package genai

import (
	"encoding/json"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/data"
)

// Call is one request to a model as a span tells it. Texts are empty where the span does not say.
type Call struct {
	Type          string // inference or embedding
	Provider      string
	RequestModel  string
	ResponseModel string
	ResponseID    string
	ServiceTier   string
	ServerAddress string
	Tokens        Tokens
}

// Tokens are disjoint counts: Input is what no other input count covers.
type Tokens struct {
	Input, CacheRead, CacheWrite, CacheWrite1h, Output int64
	Stated                                             bool // whether the span states any usage at all
	OutputStated                                       bool
}

type table struct {
	Attributes     map[string][]string `json:"attributes"`
	Operations     map[string]string   `json:"operations"`
	ExclusiveInput [][2]string         `json:"exclusive_input"`
	Providers      map[string]string   `json:"providers"`
}

var names = func() table {
	var read table
	if err := json.Unmarshal(data.Dialects, &read); err != nil {
		panic("genops: dialects.json of this build is broken: " + err.Error())
	}
	return read
}()

// The names of each fact, looked up once.
var (
	operationNames = names.Attributes["operation"]
	providerNames  = names.Attributes["provider"]
	requestNames   = names.Attributes["request_model"]
)

// Type is what kind of request a span stands for: inference, embedding, or "" for what is no request. It allocates nothing.
func Type(attributes pcommon.Map) string {
	for _, name := range operationNames {
		if value, ok := attributes.Get(name); ok {
			return names.Operations[value.Str()]
		}
	}
	return ""
}

// Provider is who sends the bill, as far as the attributes say; "" if they do not.
func Provider(attributes pcommon.Map) string {
	if name := text(attributes, providerNames); name != "" {
		return ProviderNamed(name)
	}
	return ProviderOfModel(text(attributes, requestNames))
}

// ProviderNamed is the provider that others call name.
func ProviderNamed(name string) string {
	name = strings.ToLower(name)
	if known, ok := names.Providers[name]; ok {
		return known
	}
	return name
}

// ProviderOfModel is whose a model is, as far as its name says; "" if it does not.
func ProviderOfModel(model string) string {
	switch {
	case strings.HasPrefix(model, "claude"):
		return "anthropic"
	case hasAnyPrefix(model, "gpt-", "o1", "o3", "o4", "text-embedding"):
		return "openai"
	}
	return ""
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

func text(attributes pcommon.Map, among []string) string {
	for _, name := range among {
		if value, ok := attributes.Get(name); ok && value.Type() == pcommon.ValueTypeStr && value.Str() != "" {
			return value.Str()
		}
	}
	return ""
}
