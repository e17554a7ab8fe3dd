package budgetstate

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/genops-ai/genops/collector/extension/budgetstate/internal/metadata"
	"github.com/genops-ai/genops/collector/internal/budget"
)

const waitingAlerts = 1000 // of one subscriber; later ones are lost to it, and counted

type budgetAlert = budget.Alert

// State is what other components find in this extension.
type State interface {
	// Engine reserves, settles and charges. It is there once the extension has started.
	Engine() *budget.Engine
	// Subscribe gives every alert from here on, until the function is called.
	Subscribe() (<-chan budget.Alert, func())
}

// Find is the state that a component names in its configuration.
func Find(host component.Host, id component.ID) (State, error) {
	found, there := host.GetExtensions()[id]
	if !there {
		return nil, fmt.Errorf("state: there is no extension '%s'.  fix: add it under extensions and service::extensions", id)
	}
	state, ok := found.(State)
	if !ok {
		return nil, fmt.Errorf("state: the extension '%s' keeps no budgets.  fix: name one of the type genops_state", id)
	}
	return state, nil
}

type state struct {
	config    *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	engine    *budget.Engine

	mu          sync.Mutex
	subscribers map[int]chan budgetAlert
	next        int
}

func (s *state) Start(context.Context, component.Host) error {
	budgets, err := s.config.declared()
	if err != nil {
		return err
	}
	if len(budgets) == 0 {
		s.logger.Warn("no budget is declared, so nothing is counted.  fix: add budgets or budgets_file")
	}
	store, err := s.config.open()
	if err != nil {
		return err
	}
	s.engine = budget.NewEngine(budgets, store, s.logger, s.publish)
	s.engine.Start()
	return s.telemetry.RegisterGenopsStateOwedCallback(func(_ context.Context, observer metric.Int64Observer) error {
		observer.Observe(int64(s.engine.Owed()))
		return nil
	})
}

func (s *state) Shutdown(ctx context.Context) error {
	s.telemetry.Shutdown()
	if s.engine == nil {
		return nil
	}
	return s.engine.Close(ctx)
}

func (s *state) Engine() *budget.Engine { return s.engine }

func (s *state) Subscribe() (<-chan budget.Alert, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	number, made := s.next, make(chan budgetAlert, waitingAlerts)
	s.next++
	s.subscribers[number] = made
	return made, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subscribers, number)
	}
}

// publish hands alerts to all who want them; it waits for nobody.
func (s *state) publish(alerts []budget.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, lost := context.Background(), int64(0)
	for _, alert := range alerts {
		s.logger.Info("a budget passed a threshold", zap.String("budget", alert.Budget.Name), zap.Int("percent", alert.Threshold),
			zap.String("consumed", budget.AmountOf(alert.Consumed, alert.Budget.Unit)), zap.String("unit", alert.Budget.Unit))
		for _, subscriber := range s.subscribers {
			select {
			case subscriber <- alert:
			default:
				lost++
			}
		}
	}
	s.telemetry.GenopsStateAlerts.Add(ctx, int64(len(alerts)))
	s.telemetry.GenopsStateAlertsLost.Add(ctx, lost)
}
