// Package genai reads what a span says about a call to a model, whichever instrumentation wrote it.
//
// The names are data (spec/dialects); Python reads the same file.
package genai

import (
	"encoding/json"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/data"
	"github.com/genops-ai/genops/collector/internal/globs"
	"github.com/genops-ai/genops/collector/internal/memo"
	"github.com/genops-ai/genops/collector/internal/names"
)

type fact uint8

const (
	operation fact = iota
	provider
	requestModel
	responseModel
	responseID
	serviceTier
	serverAddress
	input
	output
	cacheRead
	cacheWrite
	cacheWrite1h
	facts
)

var factNames = [facts]string{
	"operation", "provider", "request_model", "response_model", "response_id", "service_tier", "server_address",
	"input", "output", "cache_read", "cache_write", "cache_write_1h",
}

type table struct {
	Attributes     map[string][]string `json:"attributes"`
	Operations     map[string]string   `json:"operations"`
	ExclusiveInput [][2]string         `json:"exclusive_input"`
	Frameworks     []string            `json:"frameworks"`
	Providers      map[string]string   `json:"providers"`
	Requests       requests            `json:"requests"`
	Content        []string            `json:"content"`
}

// place is which fact an attribute tells, and how far behind other names of the same fact it stands.
type place struct {
	fact fact
	rank uint8
}

var dialects = func() table {
	var read table
	if err := json.Unmarshal(data.Dialects, &read); err != nil {
		panic("genops: dialects.json of this build is broken: " + err.Error())
	}
	return read
}()

// places are the names that tell a fact; operations those that tell what kind of request it is.
var places, operations = func() (*names.Table[place], *names.Table[place]) {
	all, kinds := map[string]place{}, map[string]place{}
	for i := len(factNames) - 1; i >= 0; i-- { // of a name that tells two facts, the first counts
		for rank, attribute := range dialects.Attributes[factNames[i]] {
			all[attribute] = place{fact(i), uint8(rank)}
			if fact(i) == operation {
				kinds[attribute] = place{fact(i), uint8(rank)}
			}
		}
	}
	return names.New(all), names.New(kinds)
}()

// Type is what kind of request a span stands for: inference, embedding, or "" for what is no request. It allocates
// nothing.
func Type(attributes pcommon.Map) string {
	var found pcommon.Value
	least := -1
	for name, value := range attributes.All() {
		at := operations.Get(names.KeyOf(name), name)
		if at == nil || (least >= 0 && int(at.rank) >= least) {
			continue
		}
		if found, least = value, int(at.rank); least == 0 {
			break
		}
	}
	if least < 0 {
		return ""
	}
	return dialects.Operations[found.Str()]
}

// IsFramework is whether an instrumentation of that scope writes spans of what a framework does: they need not be
// above those of the calls that the framework makes.
func IsFramework(scope string) bool { return frameworks.Get(scope) }

var frameworks = memo.New(isFramework)

func isFramework(scope string) bool {
	scope = strings.ToLower(scope)
	for _, part := range dialects.Frameworks {
		if strings.Contains(scope, part) {
			return true
		}
	}
	return false
}

// ProviderNamed is the provider that others call name.
func ProviderNamed(name string) string { return providers.Get(name) }

var providers = memo.New(providerNamed)

func providerNamed(name string) string {
	name = strings.ToLower(name)
	if known, ok := dialects.Providers[name]; ok {
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

// ContentKeys are patterns of the attributes that hold what people, models and tools wrote.
func ContentKeys() []string { return slices.Clone(dialects.Content) }

// countsApart is whether the input that a span states leaves the cached tokens out.
func countsApart(scope, provider string) bool { return slices.Contains(apart.Get(scope), provider) }

var apart = memo.New(providersCountedApart)

// providersCountedApart are those of which spans of a scope do so.
func providersCountedApart(scope string) []string {
	var found []string
	for _, each := range dialects.ExclusiveInput {
		if globs.Match(each[0], scope) {
			found = append(found, each[1])
		}
	}
	return found
}
