package ledgerconnector

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/genops-ai/genops/collector/connector/ledgerconnector/internal/metadata"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

const mostPending = 20 // intervals that wait for a pipeline that refuses them

// toMetrics adds settled calls up. It never fails: what a call adds, it adds once.
type toMetrics struct {
	reading
	next      consumer.Metrics
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	version   string
	config    *Config
	wanted    [mostDimensions]bool

	mu      sync.Mutex
	current *interval
	known   *known
	pending []pmetric.Metrics

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

func newToMetrics(config *Config, set connector.Settings, telemetry *metadata.TelemetryBuilder, next consumer.Metrics) *toMetrics {
	made := &toMetrics{
		next: next, logger: set.Logger, telemetry: telemetry, version: set.BuildInfo.Version, config: config,
		current: newInterval(config.SeriesLimit, time.Now()), known: newKnown(config.Remembered),
	}
	for at, name := range dimensionNames {
		made.wanted[at] = slices.Contains(config.Dimensions, name)
	}
	return made
}

func (m *toMetrics) Start(context.Context, component.Host) error {
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.stopped.Go(func() {
		ticker := time.NewTicker(m.config.FlushInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				m.flush(ctx, now)
			}
		}
	})
	return nil
}

// Shutdown sends what is there.
func (m *toMetrics) Shutdown(ctx context.Context) error {
	if m.stop != nil {
		m.stop()
		m.stopped.Wait()
		m.flush(ctx, time.Now())
	}
	m.telemetry.Shutdown()
	return nil
}

func (m *toMetrics) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	added, repeated, overflowed := int64(0), int64(0), int64(0)
	for _, resource := range td.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if !settled(span.Attributes()) {
					continue
				}
				found := newCall(span, scope.Scope().Name(), resource.Resource().Attributes())
				first, over := m.add(&found)
				switch {
				case !first:
					repeated++
				case over:
					overflowed++
				}
				added++
			}
		}
	}
	if added > 0 {
		m.telemetry.GenopsLedgerCalls.Add(ctx, added-repeated)
		m.telemetry.GenopsLedgerRepeated.Add(ctx, repeated)
		m.telemetry.GenopsLedgerOverflowed.Add(ctx, overflowed)
	}
	return nil
}

func (m *toMetrics) add(c *call) (first, overflowed bool) {
	key := m.dimensions(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.known.first(str(c.attributes, semconv.GenopsCallID)) {
		return false, false
	}
	found, overflowed := m.current.of(&key)
	found.add(c)
	return true, overflowed
}

func (m *toMetrics) dimensions(c *call) dimensions {
	var key dimensions
	for at, attribute := range dimensionAttributes {
		if !m.wanted[at] {
			continue
		}
		switch attribute {
		case semconv.GenAIProviderName:
			key[at] = c.provider()
		case semconv.GenAIRequestModel:
			key[at] = c.model()
		case semconv.GenAIOperationName:
			key[at] = c.operation()
		case semconv.GenopsCallOutcome:
			key[at] = c.outcome()
		default:
			key[at] = c.text(attribute)
		}
	}
	return key
}

// flush sends the interval, and those before it that were refused. Only one flush runs at a time.
func (m *toMetrics) flush(ctx context.Context, now time.Time) {
	m.mu.Lock()
	ended := m.current
	m.current = newInterval(m.config.SeriesLimit, now)
	m.mu.Unlock()
	if len(ended.series) > 0 || ended.overflow != nil {
		m.pending = append(m.pending, ended.metrics(now, m.version))
	}
	for len(m.pending) > 0 {
		sent := pmetric.NewMetrics()
		m.pending[0].CopyTo(sent) // the pipeline may change what it is given
		if err := m.next.ConsumeMetrics(ctx, sent); err != nil {
			m.logger.Warn("The metrics of an interval were refused, and wait for the next one.", zap.Error(err))
			break
		}
		m.pending = m.pending[1:]
	}
	if over := len(m.pending) - mostPending; over > 0 {
		m.telemetry.GenopsLedgerDropped.Add(ctx, int64(over))
		m.pending = m.pending[over:]
	}
}

// known remembers the last calls, in two generations, by a hash of their ids.
type known struct {
	limit      int
	seed       maphash.Seed
	young, old map[uint64]struct{}
}

func newKnown(limit int) *known {
	return &known{limit: limit/2 + 1, seed: maphash.MakeSeed(), young: map[uint64]struct{}{}, old: map[uint64]struct{}{}}
}

func (k *known) first(id string) bool {
	hash := maphash.String(k.seed, id)
	if _, ok := k.young[hash]; ok {
		return false
	}
	if _, ok := k.old[hash]; ok {
		return false
	}
	if len(k.young) >= k.limit {
		k.old, k.young = k.young, map[uint64]struct{}{}
	}
	k.young[hash] = struct{}{}
	return true
}
