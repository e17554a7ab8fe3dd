package costprocessor

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func spanID(number int) pcommon.SpanID {
	return pcommon.SpanID{5: 1, 6: byte(number >> 8), 7: byte(number)}
}

// A trace has more calls, and more spans above them, than its own place has room for.
func TestTheGuardRemembersManyCallsOfOneTrace(t *testing.T) {
	trace, guard := pcommon.TraceID{15: 9}, newGuard(DuplicatesConfig{MaxTraces: 32, TTL: time.Minute}, time.Now)
	call := func(span, response int) seenCall {
		return seenCall{spanID(span), fmt.Sprintf("resp-%012d", response), fmt.Sprintf("model-%d", response), pcommon.Timestamp(response)}
	}
	for number := range mostCalls {
		guard.accounted(trace, spanID(1000+number), nil)
		assert.True(t, guard.first(trace, call(number, number)), "call %d", number)
	}
	for number := range mostCalls {
		assert.True(t, guard.first(trace, call(number, number)), "the same span again: %d", number)
		assert.False(t, guard.first(trace, call(5000, number)), "another span of the same response: %d", number)
		assert.True(t, guard.booked(trace, seenCall{span: spanID(5000), model: fmt.Sprintf("model-%d", number)}))
		assert.True(t, guard.isAbove(trace, spanID(1000+number)))
		assert.False(t, guard.isAbove(trace, spanID(number)))
	}
	assert.False(t, guard.booked(trace, seenCall{span: spanID(5000), model: "another"}))
	assert.False(t, guard.booked(trace, seenCall{span: spanID(5000), model: "model-7", began: mostCalls}))
}

// The place of a trace that was forgotten says nothing of the one that has it next.
func TestAForgottenTraceLeavesNothingBehind(t *testing.T) {
	guard := newGuard(DuplicatesConfig{MaxTraces: 1, TTL: time.Minute}, time.Now)
	for number := range 5 {
		trace := pcommon.TraceID{0: byte(number), 15: 9}
		assert.False(t, guard.isAbove(trace, spanID(1)))
		for response := range 3 {
			guard.accounted(trace, spanID(1+response), nil)
			assert.True(t, guard.first(trace, seenCall{span: spanID(10*number + response), response: fmt.Sprint(response)}))
		}
		assert.Len(t, guard.shards[9].places, 1)
		assert.Len(t, guard.shards[9].traces, 1)
		assert.Len(t, guard.shards[9].more, 1)
	}
}

// Ollama's OpenAI endpoint draws ids such as chatcmpl-273 out of 999.
func TestAnIDThatIsTooShortToBelongToOneResponseTellsNothing(t *testing.T) {
	trace, guard := pcommon.TraceID{15: 9}, newGuard(DuplicatesConfig{MaxTraces: 32, TTL: time.Minute}, time.Now)
	for number := range 3 {
		assert.True(t, guard.first(trace, seenCall{span: spanID(number), response: "chatcmpl-273"}))
	}
}
