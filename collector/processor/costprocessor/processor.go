package costprocessor

import (
	"bytes"
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
	"github.com/genops-ai/genops/collector/processor/costprocessor/internal/metadata"
)

type costProcessor struct {
	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	resolver  *attribution.Resolver
	guard     *guard
	books     atomic.Pointer[books]
	tenantBy  int
	defaults  map[string]attribution.Attribution

	rates   []byte // what the rates file said when it was last read
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

func newCost(set processor.Settings, config *Config) (*costProcessor, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("own metrics: %w", err)
	}
	rates, err := readRates(config.RatesFile)
	if err != nil {
		return nil, err
	}
	found, err := newBooks(config, rates)
	if err != nil {
		return nil, err
	}
	made := &costProcessor{
		config: config, logger: set.Logger, telemetry: telemetry, rates: rates,
		resolver: attribution.NewResolver(&config.Attribution),
		guard:    newGuard(config.Duplicates, time.Now),
		tenantBy: attribution.Field(config.TenantBy), defaults: newDefaults(config),
	}
	made.books.Store(found)
	return made, nil
}

func (p *costProcessor) start(context.Context, component.Host) error {
	if p.config.RatesFile == "" || p.config.ReloadInterval == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.stopped.Go(func() { p.watch(ctx) })
	return nil
}

func (p *costProcessor) shutdown(context.Context) error {
	if p.stop != nil {
		p.stop()
	}
	p.stopped.Wait()
	p.telemetry.Shutdown()
	return nil
}

// watch reads the rates file again when it has changed.
func (p *costProcessor) watch(ctx context.Context) {
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

func (p *costProcessor) reload(ctx context.Context) {
	rates, err := readRates(p.config.RatesFile)
	if err == nil && bytes.Equal(rates, p.rates) {
		return
	}
	var found *books
	if err == nil {
		p.rates = rates
		found, err = newBooks(p.config, rates)
	}
	if err != nil {
		p.telemetry.GenopsCostReloadFailures.Add(ctx, 1)
		p.logger.Error("The rates stay as they were: the file cannot be read.", zap.Error(err))
		return
	}
	p.books.Store(found)
	p.logger.Info("The rates were read again.", zap.String("rates_file", p.config.RatesFile))
}

// What became of a call, for the processor's own metrics.
const (
	settled = "settled"
	mirror  = "mirror"
)

var counted = func() map[string]metric.MeasurementOption {
	made := map[string]metric.MeasurementOption{}
	for _, status := range []string{
		"priced", "partial", "estimated", "free", "unpriced", "provider_reported", settled, mirror,
	} {
		made[status] = metric.WithAttributeSet(attribute.NewSet(attribute.String("status", status)))
	}
	return made
}()

func (p *costProcessor) count(ctx context.Context, status string) {
	p.telemetry.GenopsCostCalls.Add(ctx, 1, counted[status])
}

// fault keeps a fault of ours from what is passed on.
func (p *costProcessor) fault(ctx context.Context) {
	if reason := recover(); reason != nil {
		p.telemetry.GenopsCostFaults.Add(ctx, 1)
		p.logger.Error("A call was passed on as it came, because of a fault.", zap.Any("fault", reason))
	}
}
