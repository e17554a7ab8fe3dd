package policyprocessor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/policy"
	"github.com/genops-ai/genops/collector/processor/policyprocessor/internal/metadata"
)

type policyProcessor struct {
	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	resolver  *attribution.Resolver
	inForce   atomic.Pointer[policies]
	tenantBy  int

	sources []policy.Source // as they were last read
	failed  string          // why they cannot be used, if they cannot
	broken  sync.Map        // violated -> metric.MeasurementOption
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

func newPolicy(set processor.Settings, config *Config) (*policyProcessor, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("own metrics: %w", err)
	}
	found, err := load(config)
	if err != nil {
		return nil, err
	}
	made := &policyProcessor{
		config: config, logger: set.Logger, telemetry: telemetry, sources: found.sources,
		resolver: attribution.NewResolver(&config.Attribution.Config), tenantBy: attribution.Field(config.TenantBy),
	}
	made.inForce.Store(found)
	return made, nil
}

func (p *policyProcessor) start(context.Context, component.Host) error {
	if p.config.ReloadInterval == 0 || len(p.sources) == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.stopped.Go(func() { p.watch(ctx) })
	return nil
}

func (p *policyProcessor) shutdown(context.Context) error {
	if p.stop != nil {
		p.stop()
	}
	p.stopped.Wait()
	p.telemetry.Shutdown()
	return nil
}

// watch reads the policy files again when they have changed.
func (p *policyProcessor) watch(ctx context.Context) {
	ticker := time.NewTicker(p.config.ReloadInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.reload(ctx)
		}
	}
}

func (p *policyProcessor) reload(ctx context.Context) {
	sources, err := read(p.config)
	if err == nil && policy.Same(sources, p.sources) && p.failed == "" {
		return
	}
	var found *policies
	if err == nil {
		found, err = load(p.config)
	}
	if err != nil {
		if err.Error() == p.failed {
			return // it was said
		}
		p.failed = err.Error()
		p.telemetry.GenopsPolicyReloadFailures.Add(ctx, 1)
		p.logger.Error("The policies stay as they were: the changed files cannot be used.", zap.Error(err))
		return
	}
	p.sources, p.failed = found.sources, ""
	p.inForce.Store(found)
	p.logger.Info("The policies were read again.", zap.String("version", found.standard.version()))
}

func (r *ruled) version() string {
	if r.set == nil {
		return ""
	}
	return r.set.Version
}

const settled = "settled" // by an SDK, before the call

// outcomes are what can come of a call; counts are by their places.
var outcomes = append([]string{settled}, policy.Results...)

var counted = func() (made []metric.MeasurementOption) {
	for _, outcome := range outcomes {
		made = append(made, metric.WithAttributeSet(attribute.NewSet(attribute.String("result", outcome))))
	}
	return made
}()

// counts are how many calls of one batch came out how.
type counts struct{ decisions, quarantined, dropped [mostOutcomes]int64 }

const mostOutcomes = 5

func (p *policyProcessor) report(ctx context.Context, counts *counts) {
	for place, counted := range counted {
		for _, each := range [...]struct {
			of    int64
			total metric.Int64Counter
		}{
			{counts.decisions[place], p.telemetry.GenopsPolicyDecisions},
			{counts.quarantined[place], p.telemetry.GenopsPolicyQuarantined},
			{counts.dropped[place], p.telemetry.GenopsPolicyDropped},
		} {
			if each.of > 0 {
				each.total.Add(ctx, each.of, counted)
			}
		}
	}
}

// violated is one series of the violations.
type violated struct{ rule, result, code string }

func (p *policyProcessor) countViolations(ctx context.Context, decision *policy.Decision) {
	for i := range decision.Violations {
		each := &decision.Violations[i]
		key := violated{each.Rule, each.Result, each.ReasonCode}
		series, ok := p.broken.Load(key)
		if !ok {
			series = metric.WithAttributeSet(attribute.NewSet(attribute.String("rule", each.Rule),
				attribute.String("result", each.Result), attribute.String("reason_code", each.ReasonCode)))
			p.broken.Store(key, series)
		}
		p.telemetry.GenopsPolicyViolations.Add(ctx, 1, series.(metric.MeasurementOption))
	}
}

// fault keeps a fault of ours from what is passed on.
func (p *policyProcessor) fault(ctx context.Context) {
	if reason := recover(); reason != nil {
		p.telemetry.GenopsPolicyFaults.Add(ctx, 1)
		p.logger.Error("A call was passed on as it came, because of a fault.", zap.Any("fault", reason))
	}
}
