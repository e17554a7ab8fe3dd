package decision

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/genops-ai/genops/collector/extension/budgetstate"
	"github.com/genops-ai/genops/collector/extension/decision/internal/metadata"
	"github.com/genops-ai/genops/collector/internal/decisionpb"
)

type hosting map[component.ID]component.Component

func (h hosting) GetExtensions() map[component.ID]component.Component { return h }

// tokens knows callers by their token; a customer is proved by it.
type tokens struct {
	component.StartFunc
	component.ShutdownFunc
}

type proof string

func (p proof) GetAttribute(name string) any {
	if name == "customer" {
		return string(p)
	}
	return nil
}
func (p proof) GetAttributeNames() []string { return []string{"customer"} }

func (tokens) Authenticate(ctx context.Context, headers map[string][]string) (context.Context, error) {
	for name, values := range headers {
		if strings.EqualFold(name, "authorization") {
			if customer, ok := strings.CutPrefix(values[0], "Bearer secret-of-"); ok {
				info := client.FromContext(ctx)
				info.Auth = proof(customer)
				return client.NewContext(ctx, info), nil
			}
		}
	}
	return ctx, fmt.Errorf("no token")
}

var _ extensionauth.Server = tokens{}

var authID = component.MustNewID("tokens")

func freeAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

type running struct {
	t    *testing.T
	url  string
	grpc string
	key  string
}

func start(t *testing.T, change func(*Config)) *running {
	factory := budgetstate.NewFactory()
	given := factory.CreateDefaultConfig().(*budgetstate.Config)
	given.Budgets = []any{
		map[string]any{"name": "customer", "group_by": "customer_id", "limit": "1", "window": "total"},
		map[string]any{"name": "tokens", "unit": "tokens", "limit": 10000, "window": "day", "match": map[string]any{"team": "search"}},
		map[string]any{"name": "fit", "limit": "0.01", "window": "total", "estimator": "fit", "match": map[string]any{"team": "fit"}},
	}
	given.RateLimits = []any{map[string]any{"name": "slow", "limit": 1, "per": "1h", "match": map[string]any{"team": "slow"}}}
	require.NoError(t, given.Validate())
	state, err := factory.Create(context.Background(), extensiontest.NewNopSettings(factory.Type()), given)
	require.NoError(t, err)
	require.NoError(t, state.Start(context.Background(), componenttest.NewNopHost()))
	config := createDefaultConfig().(*Config)
	made := &running{t: t, grpc: freeAddress(t)}
	config.HTTP.Get().NetAddr.Endpoint = freeAddress(t)
	config.GRPC.GetOrInsertDefault().NetAddr.Endpoint = made.grpc
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	own, err := NewFactory().Create(context.Background(), extensiontest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	host := hosting{config.State: state, authID: tokens{}}
	require.NoError(t, own.Start(context.Background(), host))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		assert.NoError(t, own.Shutdown(context.Background()))
		assert.NoError(t, state.Shutdown(context.Background()))
	})
	made.url = "http://" + config.HTTP.Get().NetAddr.Endpoint
	return made
}

func (r *running) do(method, path, body string) (int, map[string]any) {
	request, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	require.NoError(r.t, err)
	if r.key != "" {
		request.Header.Set("Authorization", "Bearer "+r.key)
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(r.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(r.t, err)
	var found map[string]any
	if answer.StatusCode != http.StatusUnauthorized {
		require.NoError(r.t, json.Unmarshal(text, &found), string(text))
	}
	return answer.StatusCode, found
}

func (r *running) post(path, body string) (int, map[string]any) { return r.do("POST", path, body) }

func reserve(id, amount string) string {
	return fmt.Sprintf(`{"id": %q, "attribution": {"customer_id": "acme"}, "estimate": {"amount": %q}}`, id, amount)
}

func TestReserveThenSettleOverHTTP(t *testing.T) {
	r := start(t, nil)
	code, answer := r.post("/v1/reservations", reserve("a", "0.4"))
	assert.Equal(t, 200, code)
	assert.Equal(t, "ALLOWED", answer["decision"])
	assert.Equal(t, "0.4", answer["estimated_cost"])
	assert.Equal(t, map[string]any{
		"budget": "customer", "group": map[string]any{"customer_id": "acme"}, "period": "total", "unit": "USD",
		"allocated": "1", "consumed": "0.4", "remaining": "0.6",
	}, answer["tightest"])
	reservation := answer["reservation"].(map[string]any)
	assert.Equal(t, []any{map[string]any{"budget": "customer", "unit": "USD", "amount": "0.4"}}, reservation["legs"])
	expires, err := time.Parse(time.RFC3339Nano, reservation["expires_at"].(string))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(defaultLifeS*time.Second), expires, time.Minute)
	_, again := r.post("/v1/reservations", reserve("a", "0.4"))
	assert.Equal(t, "ALLOWED", again["decision"])
	assert.Equal(t, answer["tightest"], again["tightest"], "a repetition takes nothing")

	code, answer = r.post("/v1/reservations", reserve("b", "0.7"))
	assert.Equal(t, 200, code, "a refusal is an answer")
	assert.Equal(t, "BLOCKED", answer["decision"])
	assert.NotContains(t, answer, "reservation")
	assert.Equal(t, map[string]any{
		"result": "BLOCKED", "reason_code": "BUDGET_RESERVATION_FAILED", "budget": "customer",
		"message": "budget 'customer' for customer_id=acme refuses the call: 0.6 USD of 1 USD left; the call may take 0.7 USD",
		"fix":     "lower the output limit (max_tokens), send less, or raise limit of budget 'customer' (budgets[0])",
	}, answer["findings"].([]any)[0])

	for range 2 {
		code, answer = r.post("/v1/reservations/a/settle", `{"usage": {"cost": "0.25"}}`)
		assert.Equal(t, 200, code)
		assert.Equal(t, "settled", answer["state"])
		assert.Equal(t, []any{map[string]any{"budget": "customer", "unit": "USD", "amount": "0.25"}}, answer["charged"])
	}
	assert.Equal(t, true, answer["repeated"])
	code, answer = r.post("/v1/reservations/a/settle", `{"usage": {"cost": "0.26"}}`)
	assert.Equal(t, 409, code)
	assert.Equal(t, "ABORTED", answer["error"].(map[string]any)["code"])

	r.post("/v1/reservations", reserve("c", "0.5"))
	code, answer = r.post("/v1/reservations/c/extend", `{"expires_in_s": 1000}`)
	assert.Equal(t, []any{200, true}, []any{code, answer["open"]})
	code, answer = r.post("/v1/reservations/c/release", "")
	assert.Equal(t, []any{200, "released"}, []any{code, answer["state"]})
	code, answer = r.do("GET", "/v1/budgets?customer_id=acme", "")
	assert.Equal(t, 200, code)
	assert.Equal(t, "0.25", answer["budgets"].([]any)[0].(map[string]any)["consumed"])
}

func TestTokensArePricedWithTheModel(t *testing.T) {
	r := start(t, nil)
	_, answer := r.post("/v1/reservations", `{"id": "a", "attribution": {"team": "search"}, "provider": "openai", "model": "gpt-5.4",
		"operation": "chat", "estimate": {"input_tokens": 1200, "max_output_tokens": 350}}`)
	assert.Equal(t, "ALLOWED", answer["decision"], answer)
	assert.Equal(t, "0.00825", answer["estimated_cost"])
	_, answer = r.post("/v1/reservations/a/settle", `{"usage": {"provider": "openai", "model": "gpt-5.4", "input_tokens": 1000, "output_tokens": 100}}`)
	assert.Equal(t, "0.004", answer["cost"])
	assert.Equal(t, []any{
		map[string]any{"budget": "customer", "unit": "USD", "amount": "0.004"},
		map[string]any{"budget": "tokens", "unit": "tokens", "amount": "1100"},
	}, answer["charged"])
	_, answer = r.post("/v1/reservations", `{"id": "b", "model": "nobody-1", "provider": "openai", "estimate": {"input_tokens": 1}}`)
	assert.Equal(t, "BLOCKED", answer["decision"])
	assert.Contains(t, answer["findings"].([]any)[0].(map[string]any)["message"], "there is no USD price for it")
	_, answer = r.post("/v1/reservations", `{"id": "c", "attribution": {"team": "fit"}, "provider": "openai", "model": "gpt-5.4",
		"estimate": {"input_tokens": 1200, "max_output_tokens": 1000, "reducible": true}}`)
	assert.Equal(t, "ALLOWED", answer["decision"])
	assert.Equal(t, 466.0, answer["max_output_tokens"])
}

func TestRateLimitOfABudgetSaysWhenToComeBack(t *testing.T) {
	r := start(t, nil)
	body := `{"id": "%s", "attribution": {"team": "slow"}, "estimate": {"amount": "0.01"}}`
	r.post("/v1/reservations", fmt.Sprintf(body, "a"))
	_, answer := r.post("/v1/reservations", fmt.Sprintf(body, "b"))
	assert.Equal(t, "RATE_LIMITED", answer["decision"])
	assert.Greater(t, answer["retry_after_s"], 0.0)
}

func TestWhatIsWrongWithARequestIsSaidWithAFix(t *testing.T) {
	r := start(t, nil)
	for body, want := range map[string]string{
		`{"id": "a", "teem": 1}`: `unknown field "teem"`,
		`{"id": ""}`:             "id is empty",
		`{`:                      "the body is not understood",
		`{"id": "a", "estimate": {"amount": "1e3"}}`:                     "is no amount",
		`{"id": "a", "estimate": {"amount": "-1"}}`:                      "is no amount",
		`{"id": "a", "estimate": {"amount": "1", "currency": "dollar"}}`: "no code of ISO 4217",
		`{"id": "a", "expires_in_s": 100000}`:                            "more than a day",
		`{"id": "` + strings.Repeat("x", 201) + `"}`:                     "longer than 200 bytes",
	} {
		code, answer := r.post("/v1/reservations", body)
		assert.Equal(t, 400, code, body)
		assert.Contains(t, answer["error"].(map[string]any)["message"], want)
		assert.NotEmpty(t, answer["error"].(map[string]any)["fix"])
	}
	code, answer := r.post("/v1/reservations/nobody/settle", "{}")
	assert.Equal(t, 404, code)
	assert.Equal(t, "NOT_FOUND", answer["error"].(map[string]any)["code"])
	code, answer = r.post("/v1/reservations", `{"id": "`+strings.Repeat(" ", largestBody)+`"}`)
	assert.Equal(t, 413, code, answer)
	code, _ = r.do("GET", "/v1/reservations", "")
	assert.Equal(t, 404, code)
	code, answer = r.do("GET", "/v1/budgets?teem=x", "")
	assert.Equal(t, 400, code, answer)
}

func TestOnlyThoseWithATokenAreAnsweredAndTheirProofGoesFirst(t *testing.T) {
	r := start(t, func(c *Config) {
		c.HTTP.Get().Auth = configoptional.Some(confighttp.AuthConfig{Config: configauth.Config{AuthenticatorID: authID}})
		c.GRPC.Get().Auth = configoptional.Some(configauth.Config{AuthenticatorID: authID})
		c.Attribution.FromAuth = map[string]string{"customer_id": "customer"}
	})
	code, _ := r.post("/v1/reservations", reserve("a", "0.1"))
	assert.Equal(t, 401, code)
	r.key = "secret-of-zoo"
	_, answer := r.post("/v1/reservations", reserve("a", "0.1"))
	assert.Equal(t, map[string]any{"customer_id": "zoo"}, answer["tightest"].(map[string]any)["group"], "whatever it claims")

	connection, err := grpc.NewClient(r.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer connection.Close()
	decisions := decisionpb.NewDecisionsClient(connection)
	_, err = decisions.Budgets(context.Background(), &decisionpb.BudgetsRequest{})
	assert.Equal(t, codes.Unauthenticated, status.Code(err))
	ctx := grpcmetadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer secret-of-zoo")
	found, err := decisions.Budgets(ctx, &decisionpb.BudgetsRequest{})
	require.NoError(t, err)
	assert.Equal(t, "0.1", found.Budgets[0].Consumed)
}

func TestGRPCGivesTheSameAnswers(t *testing.T) {
	r := start(t, nil)
	connection, err := grpc.NewClient(r.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer connection.Close()
	decisions, ctx := decisionpb.NewDecisionsClient(connection), context.Background()
	asked := &decisionpb.ReserveRequest{
		Id: "a", Attribution: &decisionpb.Attribution{CustomerId: "acme"}, Estimate: &decisionpb.Estimate{Amount: "0.4"},
	}
	answer, err := decisions.Reserve(ctx, asked)
	require.NoError(t, err)
	assert.Equal(t, "ALLOWED", answer.Decision)
	_, overHTTP := r.post("/v1/reservations", reserve("a", "0.4"))
	assert.Equal(t, answer.Tightest.Remaining, overHTTP["tightest"].(map[string]any)["remaining"], "one state, two protocols")
	ended, err := decisions.Settle(ctx, &decisionpb.SettleRequest{Id: "a", Usage: &decisionpb.Usage{Cost: "0.1"}})
	require.NoError(t, err)
	assert.Equal(t, "settled", ended.State)
	for want, ask := range map[codes.Code]func() error{
		codes.NotFound:        func() error { _, err := decisions.Release(ctx, &decisionpb.ReleaseRequest{Id: "x"}); return err },
		codes.Aborted:         func() error { _, err := decisions.Release(ctx, &decisionpb.ReleaseRequest{Id: "a"}); return err },
		codes.InvalidArgument: func() error { _, err := decisions.Extend(ctx, &decisionpb.ExtendRequest{}); return err },
	} {
		assert.Equal(t, want, status.Code(ask()))
	}
}

func TestClientThatAsksTooOftenIsHeldOffAndOthersAreNot(t *testing.T) {
	r := start(t, func(c *Config) {
		c.RateLimit = RateLimitConfig{PerSecond: 0.001, Burst: 3}
		c.HTTP.Get().Auth = configoptional.Some(confighttp.AuthConfig{Config: configauth.Config{AuthenticatorID: authID}})
	})
	r.key = "secret-of-a"
	for i := range 4 {
		code, answer := r.do("GET", "/v1/budgets", "")
		if i < 3 {
			assert.Equal(t, 200, code)
		} else {
			assert.Equal(t, 429, code)
			assert.Equal(t, "RESOURCE_EXHAUSTED", answer["error"].(map[string]any)["code"])
		}
	}
	r.key = "secret-of-b"
	code, _ := r.do("GET", "/v1/budgets", "")
	assert.Equal(t, 200, code)
}

func TestMemoryOfClientsIsBounded(t *testing.T) {
	l := newLimiter(RateLimitConfig{PerSecond: 1, Burst: 1})
	for i := range 3 * mostClients {
		l.allow(named(nil, fmt.Sprint(i), ""))
	}
	assert.LessOrEqual(t, len(l.clients), mostClients)
	assert.Equal(t, named(nil, "", "10.0.0.1:1"), named(nil, "", "10.0.0.1:2"), "another port is the same client")
}

func TestManyClientsNeverOverspend(t *testing.T) {
	r := start(t, func(c *Config) { c.RateLimit.PerSecond = 0 })
	var granted atomic.Int64
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 40 {
				_, answer := r.post("/v1/reservations", reserve(fmt.Sprintf("%d-%d", worker, i), "0.01"))
				if answer["decision"] == "ALLOWED" {
					granted.Add(1)
				}
			}
		})
	}
	all.Wait()
	assert.Equal(t, int64(100), granted.Load())
}

func TestEndpointThatOthersReachMustAskWhoTheyAre(t *testing.T) {
	for name, each := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"everywhere":    {func(c *Config) { c.HTTP.Get().NetAddr.Endpoint = "0.0.0.0:4319" }, "http: endpoint 0.0.0.0:4319 is reached from elsewhere, and nobody is asked who they are.  fix: endpoint: 127.0.0.1:4319"},
		"no host":       {func(c *Config) { c.HTTP.Get().NetAddr.Endpoint = ":4319" }, "is reached from elsewhere"},
		"a name":        {func(c *Config) { c.HTTP.Get().NetAddr.Endpoint = "localhost.evil.example:4319" }, "is reached from elsewhere"},
		"TLS alone":     {func(c *Config) { open(c); c.HTTP.Get().TLS = configoptional.Some(configtls.ServerConfig{}) }, "is reached from elsewhere"},
		"gRPC":          {func(c *Config) { c.GRPC.GetOrInsertDefault().NetAddr.Endpoint = "[::]:4320" }, "grpc: endpoint [::]:4320"},
		"nothing":       {func(c *Config) { c.HTTP = configoptional.None[confighttp.ServerConfig]() }, "neither http nor grpc"},
		"rate":          {func(c *Config) { c.RateLimit.Burst = 0 }, "rate_limit"},
		"IPv6 loopback": {func(c *Config) { c.HTTP.Get().NetAddr.Endpoint = "[::1]:4319" }, ""},
		"mTLS": {func(c *Config) {
			open(c)
			c.HTTP.Get().TLS = configoptional.Some(configtls.ServerConfig{ClientCAFile: "ca.pem"})
		}, ""},
		"authentication": {func(c *Config) { open(c); c.HTTP.Get().Auth = configoptional.Some(confighttp.AuthConfig{}) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := createDefaultConfig().(*Config)
			each.change(config)
			if each.want == "" {
				assert.NoError(t, config.Validate())
			} else {
				assert.ErrorContains(t, config.Validate(), each.want)
			}
		})
	}
}

func open(c *Config) { c.HTTP.Get().NetAddr.Endpoint = "0.0.0.0:4319" }

func TestGRPCIsServedWhereItIsNamed(t *testing.T) {
	config := createDefaultConfig().(*Config)
	assert.False(t, config.GRPC.HasValue())
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"grpc": nil}).Unmarshal(config))
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"grpc": map[string]any{"endpoint": "127.0.0.1:1"}}).Unmarshal(config))
	assert.True(t, config.GRPC.HasValue())
	assert.Equal(t, largestMessage, config.GRPC.Get().MaxRecvMsgSizeMiB)
}

func FuzzBody(f *testing.F) {
	for _, body := range []string{
		reserve("a", "0.4"), `{"id": "x", "estimate": {"input_tokens": 4294967295, "max_output_tokens": 4294967295, "choices": 4294967295}}`,
		`{"usage": {"input_tokens": 1, "model": "gpt-5.4", "provider": "openai", "compute_seconds": "0.1"}}`,
	} {
		f.Add([]byte(body), "x")
	}
	factory := budgetstate.NewFactory()
	given := factory.CreateDefaultConfig().(*budgetstate.Config)
	given.Budgets = []any{map[string]any{"name": "a", "group_by": []any{"team", "tag.x"}, "limit": 1}}
	state, err := factory.Create(context.Background(), extensiontest.NewNopSettings(factory.Type()), given)
	require.NoError(f, err)
	require.NoError(f, state.Start(context.Background(), componenttest.NewNopHost()))
	f.Cleanup(func() { _ = state.Shutdown(context.Background()) })
	own, err := newDecision(extensiontest.NewNopSettings(metadata.Type), createDefaultConfig().(*Config))
	require.NoError(f, err)
	own.service.engine = state.(budgetstate.State).Engine()
	handler := newHandler(own.service)
	f.Fuzz(func(t *testing.T, body []byte, id string) {
		for _, path := range []string{"/v1/reservations", "/v1/reservations/x/settle", "/v1/reservations/x/extend"} {
			request, err := http.NewRequest("POST", path, bytes.NewReader(body))
			require.NoError(t, err)
			request.SetPathValue("id", id)
			answer := &answerOf{header: http.Header{}}
			handler.ServeHTTP(answer, request)
			if answer.code >= 500 && answer.code != 503 {
				t.Fatalf("%d for %q", answer.code, body)
			}
		}
	})
}

type answerOf struct {
	header http.Header
	code   int
}

func (a *answerOf) Header() http.Header            { return a.header }
func (a *answerOf) Write(text []byte) (int, error) { return len(text), nil }
func (a *answerOf) WriteHeader(code int)           { a.code = code }
