package redactionprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func (p *redactionProcessor) processTraces(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
	w := p.work()
	defer w.done()
	for _, resource := range td.ResourceSpans().All() {
		w.attributes(resource.Resource().Attributes())
		for _, scope := range resource.ScopeSpans().All() {
			w.attributes(scope.Scope().Attributes())
			w.count()
			for _, span := range scope.Spans().All() {
				w.span(span)
			}
		}
	}
	p.report(ctx, w)
	return td, nil
}

func (w *work) span(span ptrace.Span) {
	if w.p.config.SpanNames {
		if made, changed := w.text("", span.Name()); changed {
			span.SetName(made)
		}
	}
	w.attributes(span.Attributes())
	for _, event := range span.Events().All() {
		if made, changed := w.text("", event.Name()); changed {
			event.SetName(made)
		}
		w.attributes(event.Attributes())
	}
	for _, link := range span.Links().All() {
		w.attributes(link.Attributes())
	}
	if made, changed := w.text("", span.Status().Message()); changed {
		span.Status().SetMessage(made)
	}
	w.summarise(span.Attributes())
}

func (p *redactionProcessor) processLogs(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
	w := p.work()
	defer w.done()
	for _, resource := range ld.ResourceLogs().All() {
		w.attributes(resource.Resource().Attributes())
		for _, scope := range resource.ScopeLogs().All() {
			w.attributes(scope.Scope().Attributes())
			w.count()
			for _, record := range scope.LogRecords().All() {
				w.record(record)
			}
		}
	}
	p.report(ctx, w)
	return ld, nil
}

func (w *work) record(record plog.LogRecord) {
	w.value("", record.Body(), 0)
	w.attributes(record.Attributes())
	if made, changed := w.text("", record.SeverityText()); changed {
		record.SetSeverityText(made)
	}
	if made, changed := w.text("", record.EventName()); changed {
		record.SetEventName(made)
	}
	w.summarise(record.Attributes())
}

func (p *redactionProcessor) processMetrics(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	w := p.work()
	defer w.done()
	for _, resource := range md.ResourceMetrics().All() {
		w.attributes(resource.Resource().Attributes())
		for _, scope := range resource.ScopeMetrics().All() {
			w.attributes(scope.Scope().Attributes())
			for _, metric := range scope.Metrics().All() {
				w.attributes(metric.Metadata())
				w.points(metric)
			}
		}
	}
	w.count()
	p.report(ctx, w)
	return md, nil
}

func (w *work) points(metric pmetric.Metric) {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		w.numbers(metric.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		w.numbers(metric.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		for _, point := range metric.Histogram().DataPoints().All() {
			w.point(point.Attributes(), point.Exemplars())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, point := range metric.ExponentialHistogram().DataPoints().All() {
			w.point(point.Attributes(), point.Exemplars())
		}
	case pmetric.MetricTypeSummary:
		for _, point := range metric.Summary().DataPoints().All() {
			w.attributes(point.Attributes())
		}
	case pmetric.MetricTypeEmpty:
	}
}

func (w *work) numbers(points pmetric.NumberDataPointSlice) {
	for _, point := range points.All() {
		w.point(point.Attributes(), point.Exemplars())
	}
}

func (w *work) point(attributes pcommon.Map, exemplars pmetric.ExemplarSlice) {
	w.attributes(attributes)
	for _, exemplar := range exemplars.All() {
		w.attributes(exemplar.FilteredAttributes())
	}
}
