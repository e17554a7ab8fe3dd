// Package usage reads what a vendor's answer says about usage, as disjoint meters.
//
// The shapes are data (spec/usage); Python reads the same file with the same algorithm.
package usage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/genops-ai/genops/collector/internal/pricing"
)

// Reading is what a response says about itself, beyond its content. A text is empty where the response is silent.
type Reading struct {
	Usage         *pricing.Usage // nil where it states none
	ResponseID    string
	ResponseModel string
	ServiceTier   string
	Region        string
	Reported      *big.Rat // USD, where the provider states its own charge
}

// Decode reads JSON with numbers as they are written.
func Decode(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("no JSON: %w", err)
	}
	return value, nil
}

// Read is what a decoded response says about itself. An unknown provider is read like the API it speaks, an unknown
// api not at all. serviceTier is what is known of the tier where the response is silent.
func Read(provider, api string, response, request any, serviceTier string) (Reading, error) {
	known, err := shapes()
	if err != nil {
		return Reading{}, err
	}
	name, ok := known.providers[provider][api]
	if !ok {
		name = known.apis[api]
	}
	var found Reading
	if compiled := known.shapes[name]; compiled != nil {
		found.Usage, found.Reported = compiled.read(response, request)
	}
	if found.Usage != nil {
		refine(provider, api, found.Usage, response, request)
	} else if api == "invoke_model" {
		found.Usage = reranked(response, request)
	}
	found.describe(response, serviceTier)
	return found, nil
}

func (r *Reading) describe(response any, serviceTier string) {
	stated := get(response, "usage")
	tier := truthy(get(response, "service_tier"), get(stated, "service_tier"), get(get(response, "serviceTier"), "type"))
	if get(stated, "speed") == "fast" {
		tier = "fast"
	}
	r.ServiceTier = serviceTier
	if text, ok := tier.(string); ok {
		r.ServiceTier = strings.ToLower(text)
	}
	if region := text(get(stated, "inference_geo")); region != "not_available" {
		r.Region = region
	}
	r.ResponseModel = text(truthy(get(response, "model"), get(response, "modelVersion"), get(response, "model_version"),
		get(response, "model_id")))
	r.ResponseID = text(truthy(get(response, "id"), get(response, "responseId"), get(response, "response_id"),
		get(response, "generation_id"), get(get(response, "ResponseMetadata"), "RequestId")))
}

func truthy(values ...any) any {
	for _, value := range values {
		if value != nil && value != "" && value != false {
			return value
		}
	}
	return nil
}

func text(value any) string {
	found, _ := value.(string)
	return found
}

// refine says what one figure of the answer means only in the light of another, or of the request.
func refine(provider, api string, usage *pricing.Usage, response, request any) {
	retention := text(get(request, "prompt_cache_retention"))
	if written, ok := usage.Get("cache_write"); ok && (retention == "12h" || retention == "24h") {
		rename(usage, "cache_write", "cache_write_12h", written)
	}
	if pages, ok := usage.Get("pages"); ok && get(request, "document_annotation_format") != nil {
		rename(usage, "pages", "pages_annotated", pages)
	}
	if provider == "gcp.gemini" || provider == "gcp.vertex_ai" {
		if searches := grounding(response); searches > 0 {
			usage.Set("web_searches", pricing.Whole(int64(searches)))
		}
	}
	switch searches, ok := usage.Get("web_searches"); {
	case ok && strings.HasPrefix(provider, "gcp.") && isBilledOnce(response):
		usage.Set("web_searches", pricing.Whole(min(searches.Int(), 1)))
	case ok && asksForPreview(request):
		rename(usage, "web_searches", "web_searches_preview", searches)
	case !ok && api == "chat_completions":
		if meter := searchOfModel(provider, response, request); meter != "" {
			usage.Set(meter, pricing.Whole(1))
		}
	}
}

// asksForPreview is whether searches are those of OpenAI's older tool, which has a price of its own.
func asksForPreview(request any) bool {
	tools, _ := get(request, "tools").([]any)
	return slices.ContainsFunc(tools, func(tool any) bool {
		return strings.HasPrefix(text(get(tool, "type")), "web_search_preview")
	})
}

// searchOfModel is the meter of the search that OpenAI's search models make for every request of Chat Completions, and do
// not state; "" for other models. Source: OpenAI, "Web search", Chat Completions, and its price list.
func searchOfModel(provider string, response, request any) string {
	model := text(truthy(get(response, "model"), get(request, "model")))
	switch {
	case provider != "openai" && provider != "azure.ai.openai":
		return ""
	case strings.Contains(model, "-search-preview"):
		return "web_searches_preview"
	case strings.Contains(model, "-search-api"):
		return "web_searches"
	}
	return ""
}

func rename(usage *pricing.Usage, from, to string, quantity pricing.Quantity) {
	usage.Meters = slices.DeleteFunc(usage.Meters, func(used pricing.Used) bool { return used.Meter == from })
	usage.Set(to, quantity)
}

// reranked are the search units of a rerank model on Bedrock, which states none: one for every 100 documents begun.
// Source: Amazon Bedrock pricing, "Cohere Rerank 3.5", checked 2026-11-24.
func reranked(response, request any) *pricing.Usage {
	documents, ok := get(request, "documents").([]any)
	_, answered := get(response, "results").([]any)
	asked, _ := request.(map[string]any)
	if _, queried := asked["query"]; !ok || !answered || !queried {
		return nil
	}
	found := pricing.NewUsage()
	found.Set("search_units", pricing.Whole(int64((len(documents)+99)/100)))
	return &found
}

// grounding counts the searches of a grounded Gemini answer: one a prompt up to Gemini 2.5, one a distinct query since. A
// page that the prompt names is read for its tokens alone: it grounds an answer, but there are no queries and no
// suggestions to search for. Of a stream, what its candidates said is kept beside the usage.
func grounding(response any) int {
	queries, grounded := map[string]bool{}, false
	candidates, _ := get(response, "candidates").([]any)
	for _, candidate := range candidates {
		metadata := truthy(get(candidate, "groundingMetadata"), get(candidate, "grounding_metadata"))
		grounded = searched(metadata, queries) || grounded
	}
	grounded = searched(response, queries) || grounded
	if isBilledOnce(response) {
		if grounded {
			return 1
		}
		return 0
	}
	return len(queries)
}

// isBilledOnce is whether the model is one of Gemini up to 2.5, which have one fee for all searches of a prompt.
func isBilledOnce(response any) bool {
	model := text(truthy(get(response, "modelVersion"), get(response, "model")))
	return strings.Contains(model, "gemini-1") || strings.Contains(model, "gemini-2")
}

// searched is whether an answer is grounded in searches; what was searched for is added to the queries.
func searched(told any, queries map[string]bool) bool {
	found, _ := truthy(get(told, "webSearchQueries"), get(told, "web_search_queries")).([]any)
	for _, query := range found {
		if asked := text(query); asked != "" {
			queries[asked] = true
		}
	}
	suggestions, _ := truthy(get(told, "searchEntryPoint"), get(told, "search_entry_point")).(map[string]any)
	return len(found) > 0 || len(suggestions) > 0
}
