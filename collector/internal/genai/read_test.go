package genai

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestDialectsSayTheSameToGoAndPython(t *testing.T) {
	text, err := os.ReadFile("../../../spec/vectors/dialects/spans.json")
	require.NoError(t, err)
	var vectors struct {
		Cases []struct {
			Name       string          `json:"name"`
			Scope      string          `json:"scope"`
			Attributes map[string]any  `json:"attributes"`
			Expect     json.RawMessage `json:"expect"`
		} `json:"cases"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&vectors))
	require.NotEmpty(t, vectors.Cases)
	for _, each := range vectors.Cases {
		t.Run(each.Name, func(t *testing.T) {
			call, ok := Read(each.Scope, attributesOf(t, each.Attributes))
			if string(each.Expect) == "null" {
				assert.False(t, ok && call.Tokens.Stated && call.Provider != "", "%+v", call)
				return
			}
			require.True(t, ok)
			got, err := json.Marshal(told(&call))
			require.NoError(t, err)
			assert.JSONEq(t, string(each.Expect), string(got))
		})
	}
}

func attributesOf(t *testing.T, given map[string]any) pcommon.Map {
	found := pcommon.NewMap()
	for name, value := range given {
		if number, ok := value.(json.Number); ok {
			whole, err := number.Int64()
			if err == nil {
				found.PutInt(name, whole)
				continue
			}
			amount, err := number.Float64()
			require.NoError(t, err)
			found.PutDouble(name, amount)
			continue
		}
		require.NoError(t, found.PutEmpty(name).FromRaw(value))
	}
	return found
}

func told(call *Call) map[string]any {
	usage := map[string]int64{"input": call.Tokens.Input}
	for name, value := range map[string]int64{
		"cache_read": call.Tokens.CacheRead, "cache_write": call.Tokens.CacheWrite, "cache_write_1h": call.Tokens.CacheWrite1h,
	} {
		if value != 0 {
			usage[name] = value
		}
	}
	if call.Tokens.HasOutput {
		usage["output"] = call.Tokens.Output
	}
	found := map[string]any{"type": call.Type, "provider": call.Provider, "usage": usage}
	for name, value := range map[string]string{
		"request_model": call.RequestModel, "response_model": call.ResponseModel, "response_id": call.ResponseID,
		"service_tier": call.ServiceTier, "server_address": call.ServerAddress, "region": call.Region,
	} {
		if value != "" {
			found[name] = value
		}
	}
	return found
}

func TestWhatIsNoCountIsNamed(t *testing.T) {
	for name, put := range map[string]func(pcommon.Value){
		"-5":                  func(v pcommon.Value) { v.SetInt(-5) },
		"9223372036854775807": func(v pcommon.Value) { v.SetInt(math.MaxInt64) },
		"NaN":                 func(v pcommon.Value) { v.SetDouble(math.NaN()) },
		"+Inf":                func(v pcommon.Value) { v.SetDouble(math.Inf(1)) },
		`"many"`:              func(v pcommon.Value) { v.SetStr("many") },
		"true":                func(v pcommon.Value) { v.SetBool(true) },
	} {
		t.Run(name, func(t *testing.T) {
			attributes := pcommon.NewMap()
			attributes.PutStr("gen_ai.operation.name", "chat")
			put(attributes.PutEmpty("gen_ai.usage.input_tokens"))
			call, ok := Read("any", attributes)
			assert.True(t, ok)
			assert.Contains(t, call.Malformed, "gen_ai.usage.input_tokens is ")
		})
	}
}

func TestSpansThatAreNoRequestCostNothing(t *testing.T) {
	attributes := pcommon.NewMap()
	for _, name := range []string{"http.request.method", "server.address", "url.full", "db.system"} {
		attributes.PutStr(name, "x")
	}
	assert.Zero(t, testing.AllocsPerRun(100, func() { Read("any", attributes) }))
}

func FuzzRead(f *testing.F) {
	f.Add("openlit", "langfuse.observation.usage_details", `{"input":1e400,"output":-1}`, int64(-1), math.NaN())
	f.Fuzz(func(t *testing.T, scope, name, text string, whole int64, amount float64) {
		attributes := pcommon.NewMap()
		attributes.PutStr("gen_ai.operation.name", "chat")
		attributes.PutInt("gen_ai.usage.input_tokens", whole)
		attributes.PutDouble("gen_ai.usage.output_tokens", amount)
		attributes.PutStr(name, text)
		call, _ := Read(scope, attributes)
		for _, count := range []int64{call.Tokens.Input, call.Tokens.Output, call.Tokens.CacheRead, call.Tokens.CacheWrite} {
			if count < 0 || count > mostOneCalls {
				t.Errorf("%d is no count", count)
			}
		}
	})
}
