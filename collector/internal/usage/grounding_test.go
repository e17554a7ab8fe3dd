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
