package memo

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEveryTextIsFoundOnceAndFewAreKept(t *testing.T) {
	asked := 0
	lengths := New(func(text string) int { asked++; return len(text) })
	for range 3 {
		assert.Equal(t, 6, lengths.Get("gpt-5."))
	}
	assert.Equal(t, 1, asked)
	for i := range 3 * most {
		lengths.Get(strconv.Itoa(i))
	}
	assert.LessOrEqual(t, len(lengths.known), most)
	long := strings.Repeat("x", longest+1)
	assert.Equal(t, len(long), lengths.Get(long))
	assert.NotContains(t, lengths.known, long)
	assert.Equal(t, 6, lengths.Get("gpt-5."))
	assert.Zero(t, testing.AllocsPerRun(100, func() { lengths.Get("gpt-5.") }))
}
