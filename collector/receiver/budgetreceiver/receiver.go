package budgetreceiver

import (
	"context"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"

	"github.com/genops-ai/genops/collector/extension/budgetstate"
	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/budget"
	"github.com/genops-ai/genops/collector/internal/semconv"
	"github.com/genops-ai/genops/collector/receiver/budgetreceiver/internal/metadata"
)

// telling is what both signals share: the state, and one goroutine that ends with the receiver.
type telling struct {
	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	version   string

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// run finds the state and begins to tell of it.
func (t *telling) run(host component.Host, tell func(ctx context.Context, state budgetstate.State)) error {
	state, err := budgetstate.Find(host, t.config.State)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	t.stopped.Go(func() { tell(ctx, state) })
	return nil
}

func (t *telling) Shutdown(context.Context) error {
	if t.stop != nil {
		t.stop()
		t.stopped.Wait()
	}
	t.telemetry.Shutdown()
	return nil
}

// putGroup says what a counter is kept apart by.
func putGroup(attributes pcommon.Map, group []budget.Group) {
	for _, each := range group {
		if each.Value == "" {
			continue
		}
		switch field := attribution.Field(each.Field); {
		case field >= 0:
			attributes.PutStr(attribution.Attributes[field], each.Value)
		case each.Field == "provider":
			attributes.PutStr(semconv.GenAIProviderName, each.Value)
		case each.Field == "model":
			attributes.PutStr(semconv.GenAIRequestModel, each.Value)
		case each.Field == "operation":
			attributes.PutStr(semconv.GenAIOperationName, each.Value)
		default:
			attributes.PutStr(semconv.GenopsTag+"."+strings.TrimPrefix(each.Field, budget.Tag), each.Value)
		}
	}
}
