package decision

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/pricing"
)

// Config is what a user writes under `genops_decision`.
type Config struct {
	// State is the extension that keeps the counters.
	State component.ID `mapstructure:"state"`
	// HTTP is the server of JSON. It refuses to be reached from elsewhere unless it asks who calls: `auth`, or `tls` with a
	// `client_ca_file`. `http: null` turns it off.
	HTTP configoptional.Optional[confighttp.ServerConfig] `mapstructure:"http"`
	// GRPC is the server of the same operations over gRPC; off unless it is named. The same holds for who may reach it.
	GRPC configoptional.Optional[configgrpc.ServerConfig] `mapstructure:"grpc"`
	// Attribution says for whom a call is made. What `from_auth` takes from the authentication goes before what the
	// request claims; without it a client can charge any team it names.
	Attribution attribution.Config `mapstructure:"attribution"`
	// Prices has the price keys of genops.yaml, for estimates and usage that are stated in tokens.
	Prices map[string]any `mapstructure:"prices"`
	// RateLimit bounds what one client may ask; it is answered 429 beyond that.
	RateLimit RateLimitConfig `mapstructure:"rate_limit"`

	_ struct{}
}

// RateLimitConfig bounds what one client may ask. A client is a certificate, a token, or else an address.
type RateLimitConfig struct {
	// PerSecond is how many requests a client may make in the long run; 0 for any number.
	PerSecond float64 `mapstructure:"per_second"`
	// Burst is how many it may make at once.
	Burst int `mapstructure:"burst"`
}

var _ component.Config = (*Config)(nil)

const (
	httpEndpoint   = "127.0.0.1:4319"
	grpcEndpoint   = "127.0.0.1:4320"
	largestBody    = 64 << 10
	largestMessage = 1 // MiB
	readTimeout    = 10 * time.Second
)

func createDefaultConfig() component.Config {
	http := confighttp.NewDefaultServerConfig()
	http.NetAddr.Endpoint = httpEndpoint
	http.MaxRequestBodySize = largestBody
	http.IncludeMetadata = true
	http.ReadTimeout, http.ReadHeaderTimeout = readTimeout, readTimeout
	grpc := configgrpc.NewDefaultServerConfig()
	grpc.NetAddr.Endpoint = grpcEndpoint
	grpc.MaxRecvMsgSizeMiB = largestMessage
	grpc.IncludeMetadata = true
	return &Config{
		State: component.MustNewID("genops_state"), HTTP: configoptional.Some(http), GRPC: configoptional.Default(grpc),
		RateLimit: RateLimitConfig{PerSecond: 200, Burst: 400},
	}
}

// Validate names the first setting that cannot work, and what to write in its place.
func (c *Config) Validate() error {
	if !c.HTTP.HasValue() && !c.GRPC.HasValue() {
		return errors.New("neither http nor grpc is served.  fix: http: {endpoint: 127.0.0.1:4319}")
	}
	if c.HTTP.HasValue() {
		server := c.HTTP.Get()
		if err := guarded("http", &server.NetAddr, server.Auth.HasValue(), &server.TLS); err != nil {
			return err
		}
	}
	if c.GRPC.HasValue() {
		server := c.GRPC.Get()
		if err := guarded("grpc", &server.NetAddr, server.Auth.HasValue(), &server.TLS); err != nil {
			return err
		}
	}
	if c.RateLimit.PerSecond < 0 || (c.RateLimit.PerSecond > 0 && c.RateLimit.Burst < 1) {
		return errors.New("rate_limit: per_second must be 0 or more, and burst 1 or more.  fix: rate_limit: {per_second: 200, burst: 400}")
	}
	if _, err := pricing.ParseRates(c.Prices); err != nil {
		return fmt.Errorf("prices: %w", err)
	}
	return c.Attribution.Validate()
}

// guarded is what is wrong with an endpoint that is reached from elsewhere and asks nobody who they are.
func guarded(which string, address *confignet.AddrConfig, auth bool, tls *configoptional.Optional[configtls.ServerConfig]) error {
	if auth || (tls.HasValue() && tls.Get().ClientCAFile != "") || loopback(address) {
		return nil
	}
	return fmt.Errorf("%s: endpoint %s is reached from elsewhere, and nobody is asked who they are.  "+
		"fix: endpoint: 127.0.0.1:4319, or auth: {authenticator: bearertokenauth}, or tls with a client_ca_file",
		which, address.Endpoint)
}

func loopback(address *confignet.AddrConfig) bool {
	if strings.HasPrefix(string(address.Transport), "unix") {
		return true
	}
	host, _, err := net.SplitHostPort(address.Endpoint)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	found := net.ParseIP(host)
	return found != nil && found.IsLoopback()
}
