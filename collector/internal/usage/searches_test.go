package usage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSearchesOfAGroundedGeminiAnswer(t *testing.T) {
	for name, each := range map[string]struct {
		metadata   string
		newer, old string // the searches of a model since Gemini 3, and before
	}{
		"queries":                      {`{"webSearchQueries": ["a", "b", "a", ""]}`, "2", "1"},
		"suggestions":                  {`{"searchEntryPoint": {"renderedContent": "<div/>"}}`, "", "1"},
		"a page that the prompt names": {`{"groundingChunks": [{"web": {"uri": "https://example.com"}}]}`, "", ""},
		"nothing":                      {`{}`, "", ""},
	} {
		for model, want := range map[string]string{"gemini-3-pro": each.newer, "gemini-2.5-pro": each.old} {
			response, err := Decode([]byte(`{"modelVersion": "` + model + `", "usageMetadata": {"promptTokenCount": 1},
				"candidates": [{"groundingMetadata": ` + each.metadata + `}]}`))
			require.NoError(t, err)
			found, err := Read("gcp.gemini", "generateContent", response, nil, "")
			require.NoError(t, err)
			searches, ok := found.Usage.Get("web_searches")
			assert.Equal(t, want != "", ok, "%s, %s", name, model)
			if ok {
				assert.Equal(t, want, searches.String(), "%s, %s", name, model)
			}
		}
	}
}

func TestSearchesOfOpenAI(t *testing.T) {
	for _, each := range []struct{ api, model, tools, meter string }{
		{"responses", "gpt-4o", `[{"type": "web_search"}]`, "web_searches"},
		{"responses", "gpt-4o", `[{"type": "function"}, {"type": "web_search_preview"}]`, "web_searches_preview"},
		{"chat_completions", "gpt-4o-mini-search-preview-2025-03-11", `null`, "web_searches_preview"},
		{"chat_completions", "gpt-5-search-api", `null`, "web_searches"},
		{"chat_completions", "gpt-4o", `null`, ""},
	} {
		response, err := Decode([]byte(`{"model": "` + each.model + `", "output": [{"type": "web_search_call"}],
			"usage": {"input_tokens": 3, "output_tokens": 2, "prompt_tokens": 3, "completion_tokens": 2}}`))
		require.NoError(t, err)
		request, err := Decode([]byte(`{"tools": ` + each.tools + `}`))
		require.NoError(t, err)
		found, err := Read("openai", each.api, response, request, "")
		require.NoError(t, err)
		for _, meter := range []string{"web_searches", "web_searches_preview"} {
			searches, ok := found.Usage.Get(meter)
			assert.Equal(t, meter == each.meter, ok, "%s, %s: %s", each.api, each.model, meter)
			assert.Equal(t, ok, searches.Int() == 1)
		}
	}
}
