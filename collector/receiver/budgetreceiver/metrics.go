package budgetreceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/genops-ai/genops/collector/extension/budgetstate"
	"github.com/genops-ai/genops/collector/internal/budget"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

// metrics says now and then where every budget stands, and how many thresholds were passed since.
type metrics struct {
	*telling
	next   consumer.Metrics
	passed map[threshold]int64
	began  time.Time
}

type threshold struct {
	budget  string
	percent int
}

func (m *metrics) Start(_ context.Context, host component.Host) error {
	m.passed, m.began = map[threshold]int64{}, time.Now()
	return m.run(host, func(ctx context.Context, state budgetstate.State) {
		alerts, done := state.Subscribe()
		defer done()
		ticker := time.NewTicker(m.config.Interval)
		defer ticker.Stop()
		for {
			select {
			case alert := <-alerts:
				m.passed[threshold{alert.Budget.Name, alert.Threshold}]++
			case <-ticker.C:
				m.tell(ctx, state.Engine())
			case <-ctx.Done():
				m.tell(context.WithoutCancel(ctx), state.Engine())
				return
			}
		}
	})
}

func (m *metrics) tell(ctx context.Context, engine *budget.Engine) {
	now := time.Now()
	made := pmetric.NewMetrics()
	scope := made.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	scope.Scope().SetName("genops")
	scope.Scope().SetVersion(m.version)
	found, all, err := engine.Standings(ctx, m.config.SeriesLimit)
	if err != nil {
		m.logger.Debug("where the budgets stand is not known", zap.Error(err))
	} else {
		m.telemetry.GenopsBudgetSeriesLeftOut.Record(ctx, int64(all-len(found)))
		m.gauges(scope.Metrics(), found, pcommon.NewTimestampFromTime(now))
	}
	if len(m.passed) > 0 {
		m.alerts(scope.Metrics(), pcommon.NewTimestampFromTime(now))
	}
	if made.DataPointCount() == 0 {
		return
	}
	if err := m.next.ConsumeMetrics(ctx, made); err != nil {
		m.logger.Debug("the pipeline refuses where the budgets stand", zap.Error(err))
		return // the counts go with the next ones
	}
	clear(m.passed)
	m.began = now
}

func (m *metrics) gauges(into pmetric.MetricSlice, found []budget.Standing, at pcommon.Timestamp) {
	gauges := map[string]pmetric.NumberDataPointSlice{}
	for _, name := range []string{semconv.MetricBudgetAllocated, semconv.MetricBudgetConsumed, semconv.MetricBudgetRemaining} {
		metric := into.AppendEmpty()
		metric.SetName(name)
		metric.SetUnit("1")
		gauges[name] = metric.SetEmptyGauge().DataPoints()
	}
	for i := range found {
		each := &found[i]
		leg, declared := &each.Plan.Legs[each.Place], each.Plan.Budgets[each.Place]
		for name, counted := range map[string]int64{
			semconv.MetricBudgetAllocated: leg.Limit, semconv.MetricBudgetConsumed: leg.Limit - each.Left,
			semconv.MetricBudgetRemaining: each.Left,
		} {
			point := gauges[name].AppendEmpty()
			point.SetTimestamp(at)
			point.SetDoubleValue(budget.FloatOf(counted, leg.Unit))
			attributes := point.Attributes()
			attributes.PutStr(semconv.GenopsBudgetName, declared.Name)
			attributes.PutStr(semconv.GenopsBudgetPeriod, each.Plan.Spans[each.Place].Label)
			attributes.PutStr(semconv.GenopsAccountingUnit, leg.Unit)
			var group []budget.Group
			for place, field := range declared.GroupBy() {
				group = append(group, budget.Group{Field: field, Value: each.Plan.Groups[each.Place][place]})
			}
			putGroup(attributes, group)
		}
	}
}

func (m *metrics) alerts(into pmetric.MetricSlice, at pcommon.Timestamp) {
	metric := into.AppendEmpty()
	metric.SetName(semconv.MetricBudgetAlerts)
	metric.SetUnit("{alert}")
	sum := metric.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for each, count := range m.passed {
		point := sum.DataPoints().AppendEmpty()
		point.SetStartTimestamp(pcommon.NewTimestampFromTime(m.began))
		point.SetTimestamp(at)
		point.SetIntValue(count)
		point.Attributes().PutStr(semconv.GenopsBudgetName, each.budget)
		point.Attributes().PutInt(semconv.GenopsBudgetThreshold, int64(each.percent))
	}
}
