package budgetprocessor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/genops-ai/genops/collector/extension/budgetstate"
	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/budget"
	"github.com/genops-ai/genops/collector/internal/semconv"
	"github.com/genops-ai/genops/collector/processor/budgetprocessor/internal/metadata"
)

// What becomes of a call.
const (
	charged = iota
	settled
	repeated
	elsewhere
	unmatched
	owed
	results
)

var resultNames = [results]string{"charged", "settled", "repeated", "elsewhere", "unmatched", "owed"}

var resultOptions = func() (made [results]metric.MeasurementOption) {
	for i, name := range resultNames {
		made[i] = metric.WithAttributeSet(attribute.NewSet(attribute.String("result", name)))
	}
	return made
}()

type budgetProcessor struct {
	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	resolver  *attribution.Resolver
	engine    *budget.Engine
	tags      map[string]string // of attributes, the key of the tag
	asked     []int             // fields of the attribution that budgets look at
	pool      sync.Pool
}

func newBudget(set processor.Settings, config *Config) (*budgetProcessor, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("own metrics: %w", err)
	}
	return &budgetProcessor{
		config: config, logger: set.Logger, telemetry: telemetry, resolver: attribution.NewResolver(&config.Attribution),
		pool: sync.Pool{New: func() any { return new(work) }},
	}, nil
}

func (p *budgetProcessor) start(_ context.Context, host component.Host) error {
	state, err := budgetstate.Find(host, p.config.State)
	if err != nil {
		return err
	}
	p.use(state.Engine())
	return nil
}

func (p *budgetProcessor) use(engine *budget.Engine) {
	p.engine = engine
	if keys := engine.Tags(); len(keys) > 0 {
		p.tags = map[string]string{}
		for _, key := range keys {
			p.tags[semconv.GenopsTag+"."+key] = key
		}
	}
	for field := range attribution.Fields {
		if engine.Asks(field) {
			p.asked = append(p.asked, field)
		}
	}
}

func (p *budgetProcessor) shutdown(context.Context) error {
	p.telemetry.Shutdown()
	return nil
}

// work is one batch on its way. It is used again.
type work struct {
	told    toldCall
	charges []budget.Charge
	spans   []pcommon.Map
	ours    []bool // an SDK of GenOps told the call: its span stays as it is
	actuals []int64
	results [results]int64
}

func (w *work) reset() {
	clear(w.charges)
	clear(w.spans)
	w.charges, w.spans, w.ours, w.actuals, w.results = w.charges[:0], w.spans[:0], w.ours[:0], w.actuals[:0], [results]int64{}
}

// processTraces never fails: a span that cannot be charged goes on as it came.
func (p *budgetProcessor) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	batch := p.pool.Get().(*work)
	p.process(ctx, td, batch)
	batch.reset()
	p.pool.Put(batch)
	return td, nil
}

func (p *budgetProcessor) process(ctx context.Context, td ptrace.Traces, batch *work) {
	defer p.fault(ctx)
	var caller attribution.Caller
	now, begun := 0.0, false
	for _, resource := range td.ResourceSpans().All() {
		var under attribution.Attribution
		fresh := true
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if _, call := span.Attributes().Get(semconv.GenopsCallID); !call {
					continue
				}
				if !begun {
					begun, now, caller = true, p.engine.Clock(), p.resolver.Caller(ctx)
				}
				if fresh {
					fresh, under = false, p.resolver.Under(resource.Resource().Attributes(), &caller)
				}
				p.read(ctx, span, &under, &caller, now, batch)
			}
		}
	}
	if begun {
		p.charge(ctx, batch)
		for i, count := range batch.results {
			if count > 0 {
				p.telemetry.GenopsBudgetCalls.Add(ctx, count, resultOptions[i])
			}
		}
	}
}

// read notes what a span is to be charged. A call with a reservation of the decision endpoint is settled at once.
func (p *budgetProcessor) read(ctx context.Context, span ptrace.Span, under *attribution.Attribution, caller *attribution.Caller, now float64, batch *work) {
	told := &batch.told
	*told = toldCall{}
	told.read(span.Attributes(), p.tags)
	if !told.account {
		return
	}
	if p.config.Charge == chargeForeign && told.chargedElsewhere() {
		batch.results[elsewhere]++
		return
	}
	used := told.used()
	if told.reservation != "" {
		if result := p.settle(ctx, told.reservation, &used); result != unmatched {
			batch.results[result]++
			return
		}
	}
	if p.complete(&told.call.Attribution) {
		told.call.Attribution = p.resolver.Stated(*under, &told.call.Attribution, caller)
	} else {
		told.call.Attribution = p.resolver.Span(*under, span.Attributes(), caller)
	}
	plan := p.engine.Plan(&told.call, now)
	if len(plan.Legs) == 0 {
		batch.results[unmatched]++
		return
	}
	from := len(batch.actuals)
	batch.actuals = plan.AppendActuals(batch.actuals, &used)
	batch.charges = append(batch.charges, budget.Charge{
		ID: told.id, Plan: plan, Actuals: batch.actuals[from:len(batch.actuals):len(batch.actuals)],
		Trace: span.TraceID(), Span: span.SpanID(),
	})
	batch.spans = append(batch.spans, span.Attributes())
	batch.ours = append(batch.ours, told.outcome)
}

// complete is whether a span states every field that budgets look at by itself.
func (p *budgetProcessor) complete(stated *attribution.Attribution) bool {
	return !slices.ContainsFunc(p.asked, func(field int) bool { return stated[field] == "" })
}

// settle ends a reservation with what its call used; unmatched if there is none.
func (p *budgetProcessor) settle(ctx context.Context, id string, used *budget.Used) int {
	ended, err := p.engine.Settle(ctx, strings.Clone(id), used, false)
	switch {
	case errors.Is(err, budget.ErrUnknown):
		return unmatched
	case budget.IsStoreError(err):
		return owed
	case err != nil || ended.Repeated: // the application has settled it already
		return repeated
	}
	return settled
}

func (p *budgetProcessor) charge(ctx context.Context, batch *work) {
	ended, err := p.engine.Charge(ctx, batch.charges)
	if err != nil {
		batch.results[owed] += int64(len(batch.charges))
		return
	}
	for i := range ended {
		if ended[i].Repeated {
			batch.results[repeated]++
		} else {
			batch.results[charged]++
		}
		if p.config.Annotate && !batch.ours[i] {
			annotate(batch.spans[i], batch.charges[i].Plan, ended[i].Used)
		}
	}
}

// annotate says where the budget stands that has the smallest share of its limit left.
func annotate(attributes pcommon.Map, plan *budget.Plan, used []int64) {
	place, left := plan.Tightest(used)
	unit := plan.Budgets[place].Unit
	attributes.EnsureCapacity(attributes.Len() + 5)
	attributes.PutStr(semconv.GenopsBudgetName, plan.Budgets[place].Name)
	attributes.PutStr(semconv.GenopsBudgetPeriod, plan.Spans[place].Label)
	attributes.PutDouble(semconv.GenopsBudgetAllocated, budget.FloatOf(plan.Legs[place].Limit, unit))
	attributes.PutDouble(semconv.GenopsBudgetConsumed, budget.FloatOf(used[place], unit))
	attributes.PutDouble(semconv.GenopsBudgetRemaining, budget.FloatOf(left, unit))
}

// fault keeps a fault of ours away from the data.
func (p *budgetProcessor) fault(ctx context.Context) {
	if reason := recover(); reason != nil {
		p.telemetry.GenopsBudgetFaults.Add(ctx, 1)
		p.logger.Debug("a fault while charging; the spans go on as they came", zap.Any("fault", reason), zap.Stack("stack"))
	}
}
