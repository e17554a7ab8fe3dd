package redactionprocessor

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/genops-ai/genops/collector/internal/redaction"
	"github.com/genops-ai/genops/collector/processor/redactionprocessor/internal/metadata"
)

type redactionProcessor struct {
	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	keys      *keys
	engine    engine
	entities  []string
	counted   []metric.MeasurementOption // by entity
	works     sync.Pool
}

// engine is what finds and replaces.
type engine interface {
	RedactValue(name, text string, tally *redaction.Tally) (string, bool)
	RedactStart(name, text string, keep int, tally *redaction.Tally) string
}

func newRedaction(set processor.Settings, config *Config) (*redactionProcessor, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("own metrics: %w", err)
	}
	key, err := config.key()
	if err != nil {
		return nil, err
	}
	redactor, err := config.redactor(key)
	if err != nil {
		return nil, err
	}
	made := &redactionProcessor{
		config: config, logger: set.Logger, telemetry: telemetry, keys: newKeys(config), engine: redactor,
		entities: redactor.Entities(),
	}
	for _, entity := range made.entities {
		of := metric.WithAttributeSet(attribute.NewSet(attribute.String("entity", entity)))
		made.counted = append(made.counted, of)
	}
	made.works.New = func() any { return &work{p: made, clean: newMemory()} }
	return made, nil
}

func (p *redactionProcessor) shutdown(context.Context) error {
	p.telemetry.Shutdown()
	return nil
}

var (
	wasCut      = metric.WithAttributeSet(attribute.NewSet(attribute.String("treatment", cut)))
	wasReplaced = metric.WithAttributeSet(attribute.NewSet(attribute.String("treatment", replace)))
)

// report tells the processor's own metrics what became of a batch.
func (p *redactionProcessor) report(ctx context.Context, w *work) {
	for i, count := range w.all.Counts {
		if count > 0 {
			p.telemetry.GenopsRedactionFindings.Add(ctx, int64(count), p.counted[i])
		}
	}
	if w.changed > 0 {
		p.telemetry.GenopsRedactionValuesChanged.Add(ctx, w.changed)
	}
	if w.scanned > 0 {
		p.telemetry.GenopsRedactionScannedBytes.Add(ctx, w.scanned)
	}
	if w.large > 0 {
		treatment := wasCut
		if p.config.TooLarge == replace {
			treatment = wasReplaced
		}
		p.telemetry.GenopsRedactionTooLargeValues.Add(ctx, w.large, treatment)
	}
	if w.faults > 0 {
		p.telemetry.GenopsRedactionFaults.Add(ctx, w.faults)
		p.logger.Error("Values were replaced whole, because of a fault.", zap.Int64("values", w.faults), zap.Any("fault", w.fault))
	}
}
