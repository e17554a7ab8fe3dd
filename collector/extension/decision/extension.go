package decision

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/extension"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/genops-ai/genops/collector/extension/budgetstate"
	"github.com/genops-ai/genops/collector/extension/decision/internal/metadata"
	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/decisionpb"
	"github.com/genops-ai/genops/collector/internal/pricing"
)

type decision struct {
	set     extension.Settings
	config  *Config
	service *service
	limiter *limiter
	http    *http.Server
	grpc    *grpc.Server
	serving sync.WaitGroup
}

func newDecision(set extension.Settings, config *Config) (*decision, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("own metrics: %w", err)
	}
	rates, err := pricing.ParseRates(config.Prices)
	if err != nil {
		return nil, fmt.Errorf("prices: %w", err)
	}
	book, err := pricing.New(rates)
	if err != nil {
		return nil, err
	}
	return &decision{
		set: set, config: config, limiter: newLimiter(config.RateLimit),
		service: &service{telemetry: telemetry, book: book, resolver: attribution.NewResolver(&config.Attribution)},
	}, nil
}

// Dependencies makes the state start before this extension, and end after it.
func (d *decision) Dependencies() []component.ID { return []component.ID{d.config.State} }

func (d *decision) Start(ctx context.Context, host component.Host) error {
	state, err := budgetstate.Find(host, d.config.State)
	if err != nil {
		return err
	}
	d.service.engine = state.Engine()
	if d.config.HTTP.HasValue() {
		if err := d.serveHTTP(ctx, host); err != nil {
			return fmt.Errorf("http: %w", err)
		}
	}
	if d.config.GRPC.HasValue() {
		if err := d.serveGRPC(ctx, host); err != nil {
			return errors.Join(fmt.Errorf("grpc: %w", err), d.Shutdown(ctx))
		}
	}
	return nil
}

func (d *decision) serveHTTP(ctx context.Context, host component.Host) error {
	config := d.config.HTTP.Get()
	server, err := config.ToServer(ctx, host.GetExtensions(), d.set.TelemetrySettings, d.limiter.handler(newHandler(d.service)))
	if err != nil {
		return err
	}
	listener, err := config.ToListener(ctx)
	if err != nil {
		return err
	}
	d.http = server
	d.announce("HTTP", listener, config.TLS.HasValue())
	d.serving.Go(func() { d.ended(host, server.Serve(listener)) })
	return nil
}

func (d *decision) serveGRPC(ctx context.Context, host component.Host) error {
	config := d.config.GRPC.Get()
	server, err := config.ToServer(ctx, host.GetExtensions(), d.set.TelemetrySettings,
		configgrpc.WithGrpcServerOption(grpc.ChainUnaryInterceptor(d.limiter.unary)))
	if err != nil {
		return err
	}
	listener, err := config.NetAddr.Listen(ctx)
	if err != nil {
		return err
	}
	decisionpb.RegisterDecisionsServer(server, d.service)
	d.grpc = server
	d.announce("gRPC", listener, config.TLS.HasValue())
	d.serving.Go(func() { d.ended(host, server.Serve(listener)) })
	return nil
}

func (d *decision) announce(kind string, listener net.Listener, tls bool) {
	d.set.Logger.Info("decisions are answered", zap.String("protocol", kind), zap.Stringer("endpoint", listener.Addr()))
	if address, ok := listener.Addr().(*net.TCPAddr); ok && !tls && !address.IP.IsLoopback() {
		d.set.Logger.Warn("tokens of clients cross the network in the clear.  fix: tls: {cert_file: ..., key_file: ...}")
	}
}

func (d *decision) ended(host component.Host, err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
		componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
	}
}

func (d *decision) Shutdown(ctx context.Context) error {
	var err error
	if d.http != nil {
		err = d.http.Shutdown(ctx)
	}
	if d.grpc != nil {
		d.grpc.GracefulStop()
	}
	d.serving.Wait()
	d.service.telemetry.Shutdown()
	return err
}
