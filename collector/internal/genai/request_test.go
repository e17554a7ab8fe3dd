package genai

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/names"
)

func TestWhatARequestAsksForInEveryDialect(t *testing.T) {
	cases := map[string]struct {
		attributes map[string]any
		streamed   bool
		limit      int64
		tools      []string
	}{
		"OpenTelemetry": {map[string]any{
			"gen_ai.request.stream": true, "gen_ai.request.max_tokens": 20,
			"gen_ai.tool.definitions": `[{"type":"function","name":"shell"},{"function":{"name":"pay"}},{"type":"web_search"}]`,
		}, true, 20, []string{"shell", "pay", "web_search"}},
		"OpenTelemetry, structured": {map[string]any{
			"gen_ai.tool.definitions": []any{map[string]any{"type": "function", "name": "shell"}},
		}, false, -1, []string{"shell"}},
		"OpenLLMetry": {map[string]any{
			"llm.is_streaming": true, "gen_ai.request.max_tokens": 7, "llm.request.functions.0.name": "shell",
			"llm.request.functions.1.name": "pay", "llm.request.functions.0.description": "runs code",
		}, true, 7, []string{"shell", "pay"}},
		"OpenInference": {map[string]any{
			"llm.invocation_parameters":    `{"max_completion_tokens": 9, "stream": true, "tools": [{"name": "other"}]}`,
			"llm.tools.0.tool.json_schema": `{"type":"function","function":{"name":"shell"}}`,
		}, true, 9, []string{"shell"}},
		"OpenInference, tools among the parameters": {map[string]any{
			"llm.invocation_parameters": `{"tools": [{"type": "function", "function": {"name": "shell"}}]}`,
		}, false, -1, []string{"shell"}},
		"Vercel": {map[string]any{
			"ai.operationId": "ai.streamText.doStream", "ai.settings.maxOutputTokens": 5,
			"ai.prompt.tools": []any{`{"type":"function","name":"shell"}`},
		}, true, 5, []string{"shell"}},
		"what is none": {map[string]any{
			"llm.invocation_parameters": `{"max_tokens": "many", "stream": "yes", "tools": 7}`, "gen_ai.tool.definitions": `[{]`,
		}, false, -1, []string{}},
		"nothing": {map[string]any{}, false, -1, []string{}},
	}
	for name, each := range cases {
		t.Run(name, func(t *testing.T) {
			attributes := pcommon.NewMap()
			require.NoError(t, attributes.FromRaw(each.attributes))
			assert.Equal(t, each.streamed, Streamed(attributes))
			tokens, ok := MaxOutputTokens(attributes)
			assert.Equal(t, each.limit >= 0, ok)
			if ok {
				assert.Equal(t, each.limit, tokens)
			}
			assert.ElementsMatch(t, each.tools, Tools(attributes))
			var asked Asked
			for name := range each.attributes {
				asked |= AskedBy(names.KeyOf(name), name)
			}
			assert.False(t, each.streamed && asked&AskedStreamed == 0)
			assert.False(t, each.limit >= 0 && asked&AskedMaxOutputTokens == 0)
			assert.False(t, len(each.tools) > 0 && asked&AskedTools == 0)
		})
	}
}
