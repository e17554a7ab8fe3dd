package ledgerconnector

import (
	"slices"
	"sort"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/genops-ai/genops/collector/internal/pricing"
	"github.com/genops-ai/genops/collector/internal/semconv"
)

const mostDimensions = 10

// The dimensions by the names that configuration has for them, in the order of genops.core.metrics.
var (
	dimensionNames = []string{
		"team", "project", "environment", "customer_id", "cost_center", "feature", "provider", "request_model", "operation",
		"outcome",
	}
	dimensionAttributes = [mostDimensions]string{
		semconv.GenopsTeam, semconv.GenopsProject, semconv.GenopsEnvironment, semconv.GenopsCustomerID,
		semconv.GenopsCostCenter, semconv.GenopsFeature, semconv.GenAIProviderName, semconv.GenAIRequestModel,
		semconv.GenAIOperationName, semconv.GenopsCallOutcome,
	}
)

// seconds are the bounds that OpenTelemetry's conventions for GenAI give for durations.
var seconds = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}

type dimensions [mostDimensions]string

// series is what calls with the same dimensions come to in one interval. Money is added up exactly.
type series struct {
	calls         int64
	input, output int64
	hasTokens     bool
	costs         map[string]pricing.Amount // by currency
	buckets       [15]uint64
	total         float64 // seconds
}

type interval struct {
	limit    int
	series   map[dimensions]*series
	overflow *series
	began    time.Time
}

func newInterval(limit int, now time.Time) *interval {
	return &interval{limit: limit, series: map[dimensions]*series{}, began: now}
}

// of is the series of a combination; the overflow series once the limit is reached. The second answer says which.
func (i *interval) of(key *dimensions) (*series, bool) {
	if found := i.series[*key]; found != nil {
		return found, false
	}
	if len(i.series) >= i.limit {
		if i.overflow == nil {
			i.overflow = &series{}
		}
		return i.overflow, true
	}
	own := *key
	for at := range own {
		own[at] = strings.Clone(own[at]) // not part of a whole batch, which would be kept with it
	}
	found := &series{}
	i.series[own] = found
	return found, false
}

func (s *series) add(c *call) {
	s.calls++
	elapsed := c.duration().Seconds()
	s.total += elapsed
	s.buckets[sort.SearchFloat64s(seconds, elapsed)]++
	if input, ok := c.tokens(semconv.GenopsTokensInput); ok {
		s.input, s.hasTokens = s.input+input, true
	}
	if output, ok := c.tokens(semconv.GenopsTokensOutput); ok {
		s.output, s.hasTokens = s.output+output, true
	}
	if cost, ok := c.cost(); ok {
		if s.costs == nil {
			s.costs = map[string]pricing.Amount{}
		}
		currency := firstOf(str(c.attributes, semconv.GenopsCostCurrency), pricing.Currency)
		if _, known := s.costs[currency]; !known {
			currency = strings.Clone(currency)
		}
		s.costs[currency] = s.costs[currency].Add(cost)
	}
}

// metrics are delta sums of the interval, and durations.
func (i *interval) metrics(until time.Time, version string) pmetric.Metrics {
	made := pmetric.NewMetrics()
	scope := made.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	scope.Scope().SetName("genops")
	scope.Scope().SetVersion(version)
	w := &writer{from: pcommon.NewTimestampFromTime(i.began), until: pcommon.NewTimestampFromTime(until)}
	w.calls = w.sum(scope.Metrics(), semconv.MetricCalls, "{call}")
	w.tokens = w.sum(scope.Metrics(), semconv.MetricTokens, "{token}")
	w.cost = w.sum(scope.Metrics(), semconv.MetricCost, "{currency}")
	durations := scope.Metrics().AppendEmpty()
	durations.SetName(semconv.MetricCallDuration)
	durations.SetUnit("s")
	w.durations = durations.SetEmptyHistogram()
	w.durations.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for key, found := range i.series {
		w.write(found, key.put)
	}
	if i.overflow != nil {
		w.write(i.overflow, func(attributes pcommon.Map) { attributes.PutBool("otel.metric.overflow", true) })
	}
	scope.Metrics().RemoveIf(func(metric pmetric.Metric) bool {
		return metric.Type() == pmetric.MetricTypeSum && metric.Sum().DataPoints().Len() == 0
	})
	return made
}

func (d dimensions) put(attributes pcommon.Map) {
	for at, value := range d {
		if value != "" {
			attributes.PutStr(dimensionAttributes[at], value)
		}
	}
}

type writer struct {
	calls, tokens, cost pmetric.Sum
	durations           pmetric.Histogram
	from, until         pcommon.Timestamp
}

func (w *writer) sum(into pmetric.MetricSlice, name, unit string) pmetric.Sum {
	metric := into.AppendEmpty()
	metric.SetName(name)
	metric.SetUnit(unit)
	made := metric.SetEmptySum()
	made.SetIsMonotonic(true)
	made.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	return made
}

func (w *writer) point(into pmetric.Sum, put func(pcommon.Map)) pmetric.NumberDataPoint {
	point := into.DataPoints().AppendEmpty()
	point.SetStartTimestamp(w.from)
	point.SetTimestamp(w.until)
	put(point.Attributes())
	return point
}

func (w *writer) write(found *series, put func(pcommon.Map)) {
	w.point(w.calls, put).SetIntValue(found.calls)
	if found.hasTokens {
		for kind, count := range map[string]int64{"input": found.input, "output": found.output} {
			point := w.point(w.tokens, put)
			point.Attributes().PutStr(semconv.GenopsTokenType, kind)
			point.SetIntValue(count)
		}
	}
	for currency, amount := range found.costs {
		point := w.point(w.cost, put)
		point.Attributes().PutStr(semconv.GenopsCostCurrency, currency)
		point.SetDoubleValue(amount.Float())
	}
	point := w.durations.DataPoints().AppendEmpty()
	point.SetStartTimestamp(w.from)
	point.SetTimestamp(w.until)
	put(point.Attributes())
	point.SetCount(uint64(found.calls))
	point.SetSum(found.total)
	point.ExplicitBounds().FromRaw(slices.Clone(seconds))
	point.BucketCounts().FromRaw(found.buckets[:])
}
