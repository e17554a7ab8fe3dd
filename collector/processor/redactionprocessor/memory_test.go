//go:build !race

package redactionprocessor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Not under the race detector, which makes pools forget what they hold.
func TestCleanSpansCostNoMemory(t *testing.T) {
	p, ctx := newProcessor(t, nil), context.Background()
	for _, td := range []ptrace.Traces{plain(""), plain(clean)} {
		_, _ = p.processTraces(ctx, td)
		allocations := testing.AllocsPerRun(20, func() { _, _ = p.processTraces(ctx, td) })
		assert.Less(t, allocations, 20.0) // of a hundred spans
	}
}
