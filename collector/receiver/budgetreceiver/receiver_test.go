package budgetreceiver

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/genops-ai/genops/collector/extension/budgetstate"
	"github.com/genops-ai/genops/collector/internal/budget"
	"github.com/genops-ai/genops/collector/internal/semconv"
	"github.com/genops-ai/genops/collector/receiver/budgetreceiver/internal/metadata"
)

type hosting map[component.ID]component.Component

func (h hosting) GetExtensions() map[component.ID]component.Component { return h }

func stateOf(t *testing.T) (hosting, *budget.Engine) {
	factory := budgetstate.NewFactory()
	config := factory.CreateDefaultConfig().(*budgetstate.Config)
	config.Budgets = []any{
		map[string]any{"name": "all", "limit": 10, "window": "total"},
		map[string]any{"name": "team", "group_by": []any{"team", "model", "tag.tier"}, "limit": 1, "window": "month"},
	}
	state, err := factory.Create(context.Background(), extensiontest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, state.Start(context.Background(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, state.Shutdown(context.Background())) })
	return hosting{component.MustNewID("genops_state"): state}, state.(budgetstate.State).Engine()
}

func charge(t *testing.T, engine *budget.Engine, id, team string, nanos int64) {
	call := &budget.Call{Model: "gpt-5.4", Tags: map[string]string{"tier": "gold"}}
	call.Attribution[0] = team
	plan := engine.Plan(call, engine.Clock())
	used := budget.Used{Cost: nanos, Currency: "USD", Tokens: -1, ComputeMs: -1}
	_, err := engine.Charge(context.Background(), []budget.Charge{{ID: id, Plan: plan, Actuals: plan.Actuals(&used, nil), Trace: [16]byte{7}}})
	require.NoError(t, err)
}

func TestEachThresholdIsOneRecordOfTheRegistry(t *testing.T) {
	host, engine := stateOf(t)
	sink := new(consumertest.LogsSink)
	made, err := NewFactory().CreateLogs(context.Background(), receivertest.NewNopSettings(metadata.Type), createDefaultConfig(), sink)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), host))
	require.Eventually(t, func() bool { // until it has subscribed
		charge(t, engine, time.Now().String(), "probe", 600_000_000)
		return sink.LogRecordCount() > 0
	}, 5*time.Second, time.Millisecond)
	sink.Reset()
	charge(t, engine, "one", "search", 1_100_000_000)
	charge(t, engine, "one", "search", 1_100_000_000)
	require.NoError(t, made.Shutdown(context.Background()))

	var found []plog.LogRecord
	for _, logs := range sink.AllLogs() {
		record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		if record.Attributes().AsRaw()[semconv.GenopsTeam] == "search" {
			found = append(found, record)
		}
	}
	require.Len(t, found, 3, "50, 80 and 100 percent, once")
	record := found[2]
	assert.Equal(t, semconv.EventBudgetAlert, record.EventName())
	assert.Equal(t, plog.SeverityNumberError, record.SeverityNumber())
	assert.Equal(t, [16]byte{7}, [16]byte(record.TraceID()))
	attributes := record.Attributes().AsRaw()
	for name, want := range map[string]any{
		semconv.GenopsBudgetName: "team", semconv.GenopsBudgetThreshold: int64(100), semconv.GenopsBudgetConsumed: 1.1,
		semconv.GenopsBudgetAllocated: 1.0, semconv.GenopsAccountingUnit: "USD", semconv.GenopsTeam: "search",
		semconv.GenAIRequestModel: "gpt-5.4", "genops.tag.tier": "gold",
	} {
		assert.Equal(t, want, attributes[name], name)
	}
	assert.Contains(t, attributes, semconv.GenopsBudgetBurnRate)
	assert.Contains(t, attributes, semconv.GenopsBudgetExhaustedAt)
	assert.Equal(t, "budget 'team' has passed 100 %: 1.1 of 1 USD", record.Body().Str())
}

func TestAlertThatIsRefusedIsSentAgain(t *testing.T) {
	host, engine := stateOf(t)
	sink, refusals := new(consumertest.LogsSink), atomic.Int64{}
	next, err := consumer.NewLogs(func(ctx context.Context, given plog.Logs) error {
		if refusals.Add(1) <= 2 {
			return errors.New("full")
		}
		return sink.ConsumeLogs(ctx, given)
	})
	require.NoError(t, err)
	made, err := NewFactory().CreateLogs(context.Background(), receivertest.NewNopSettings(metadata.Type), createDefaultConfig(), next)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), host))
	require.Eventually(t, func() bool {
		if refusals.Load() == 0 {
			charge(t, engine, time.Now().String(), time.Now().String(), 600_000_000)
		}
		return sink.LogRecordCount() > 0
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, made.Shutdown(context.Background()))
}

func TestMetricsSayWhereEachBudgetStands(t *testing.T) {
	host, engine := stateOf(t)
	sink := new(consumertest.MetricsSink)
	config := createDefaultConfig().(*Config)
	config.Interval, config.SeriesLimit = 10*time.Millisecond, 2
	made, err := NewFactory().CreateMetrics(context.Background(), receivertest.NewNopSettings(metadata.Type), config, sink)
	require.NoError(t, err)
	require.NoError(t, made.Start(context.Background(), host))
	require.Eventually(t, func() bool { return len(sink.AllMetrics()) > 0 }, 5*time.Second, time.Millisecond)
	charge(t, engine, "one", "search", 600_000_000)
	charge(t, engine, "two", "other", 100_000_000)
	require.NoError(t, made.Shutdown(context.Background()))

	last := map[string][]pmetric.NumberDataPoint{}
	alerts := int64(0)
	for _, md := range sink.AllMetrics() {
		for _, metric := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if metric.Type() == pmetric.MetricTypeSum {
				for _, point := range metric.Sum().DataPoints().All() {
					alerts += point.IntValue()
				}
				continue
			}
			last[metric.Name()] = nil
			for _, point := range metric.Gauge().DataPoints().All() {
				last[metric.Name()] = append(last[metric.Name()], point)
			}
		}
	}
	assert.Equal(t, int64(1), alerts)
	require.Len(t, last[semconv.MetricBudgetConsumed], 2, "the limit of series")
	all := last[semconv.MetricBudgetConsumed][0]
	assert.Equal(t, "all", all.Attributes().AsRaw()[semconv.GenopsBudgetName])
	assert.InDelta(t, 0.7, all.DoubleValue(), 1e-12)
	assert.InDelta(t, 9.3, last[semconv.MetricBudgetRemaining][0].DoubleValue(), 1e-12)
	assert.InDelta(t, 10.0, last[semconv.MetricBudgetAllocated][0].DoubleValue(), 1e-12)
}

func TestConfigNamesWhatCannotWork(t *testing.T) {
	config := createDefaultConfig().(*Config)
	config.Interval = 0
	assert.ErrorContains(t, config.Validate(), "interval is 0s")
	config = createDefaultConfig().(*Config)
	config.SeriesLimit = 0
	assert.ErrorContains(t, config.Validate(), "series_limit is 0")
	made, err := NewFactory().CreateLogs(context.Background(), receivertest.NewNopSettings(metadata.Type), createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	assert.ErrorContains(t, made.Start(context.Background(), componenttest.NewNopHost()), "there is no extension")
	assert.NoError(t, made.Shutdown(context.Background()))
}
