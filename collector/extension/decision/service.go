package decision

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/genops-ai/genops/collector/extension/decision/internal/metadata"
	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/budget"
	"github.com/genops-ai/genops/collector/internal/decisionpb"
	"github.com/genops-ai/genops/collector/internal/pricing"
)

const (
	longestLifeS = 86_400
	defaultLifeS = 660
	mostTags     = 50
	longestText  = 500 // of a field of the attribution, a model and the like
)

// service answers both protocols. Source: spec/decision/decision.proto.
type service struct {
	decisionpb.UnimplementedDecisionsServer
	engine    *budget.Engine
	book      *pricing.Book
	resolver  *attribution.Resolver
	telemetry *metadata.TelemetryBuilder
}

// Reserve takes what a call may use from every budget that matches it, or from none.
func (s *service) Reserve(ctx context.Context, asked *decisionpb.ReserveRequest) (*decisionpb.ReserveResponse, error) {
	call, err := s.call(ctx, asked)
	if err != nil {
		return nil, s.failed(ctx, "reserve", err)
	}
	if asked.ExpiresInS > longestLifeS {
		return nil, s.failed(ctx, "reserve", wrong("expires_in_s is more than a day.  fix: extend the reservation while the call runs"))
	}
	admission, err := s.engine.Reserve(ctx, asked.Id, call, float64(asked.ExpiresInS))
	if err != nil {
		return nil, s.failed(ctx, "reserve", err)
	}
	answer := &decisionpb.ReserveResponse{Decision: admission.Result(), MaxOutputTokens: uint32(admission.MaxOutputTokens)}
	if call.Cost >= 0 {
		answer.EstimatedCost = budget.AmountOf(call.Cost, call.Currency)
	}
	for i := range admission.Findings {
		found := &admission.Findings[i]
		answer.Findings = append(answer.Findings, &decisionpb.Finding{
			Result: found.Result, ReasonCode: found.Code, Budget: found.Rule, Message: found.Message, Fix: found.Fix,
		})
	}
	if admission.RetryAfterS >= 0 {
		answer.RetryAfterS = &admission.RetryAfterS
	}
	if held := admission.Held; held != nil {
		answer.Reservation = &decisionpb.Reservation{
			Id: held.ID, ExpiresAt: momentOf(held.Expires), Legs: legsOf(held.Plan.Legs, held.Amounts), Counted: held.Counted,
		}
		if held.Counted {
			answer.Tightest = standingOf(&budget.Standing{Plan: held.Plan, Place: held.Place, Left: held.Left})
		}
	}
	s.count(ctx, "reserve", answer.Decision)
	return answer, nil
}

// Settle charges what the call used in place of what is reserved.
func (s *service) Settle(ctx context.Context, asked *decisionpb.SettleRequest) (*decisionpb.SettleResponse, error) {
	used, err := s.used(asked.Usage)
	if err != nil {
		return nil, s.failed(ctx, "settle", err)
	}
	answer, err := s.end(ctx, "settle", asked.Id, &used, false)
	if err == nil && used.Cost >= 0 {
		answer.Cost = budget.AmountOf(used.Cost, used.Currency)
	}
	return answer, err
}

// Release gives everything back: the call never ran.
func (s *service) Release(ctx context.Context, asked *decisionpb.ReleaseRequest) (*decisionpb.SettleResponse, error) {
	return s.end(ctx, "release", asked.Id, &budget.Nothing, true)
}

func (s *service) end(ctx context.Context, operation, id string, used *budget.Used, release bool) (*decisionpb.SettleResponse, error) {
	if err := budget.CheckID(id); err != nil {
		return nil, s.failed(ctx, operation, err)
	}
	ended, err := s.engine.Settle(ctx, id, used, release)
	if err != nil {
		return nil, s.failed(ctx, operation, err)
	}
	answer := &decisionpb.SettleResponse{Id: id, State: ended.State.String(), Repeated: ended.Repeated, Late: ended.Late}
	answer.Charged = legsOf(ended.Legs, ended.Charged)
	s.count(ctx, operation, answer.State)
	return answer, nil
}

// Extend lets a call that still runs live longer than its reservation was made for.
func (s *service) Extend(ctx context.Context, asked *decisionpb.ExtendRequest) (*decisionpb.ExtendResponse, error) {
	if err := budget.CheckID(asked.Id); err != nil {
		return nil, s.failed(ctx, "extend", err)
	}
	seconds := asked.ExpiresInS
	if seconds == 0 {
		seconds = defaultLifeS
	}
	if seconds > longestLifeS {
		return nil, s.failed(ctx, "extend", wrong("expires_in_s is more than a day.  fix: extend it again later"))
	}
	open, expires, err := s.engine.Extend(ctx, asked.Id, float64(seconds))
	if err != nil {
		return nil, s.failed(ctx, "extend", err)
	}
	answer := &decisionpb.ExtendResponse{Id: asked.Id, Open: open}
	if open {
		answer.ExpiresAt = momentOf(expires)
	}
	s.count(ctx, "extend", map[bool]string{true: "open", false: "ended"}[open])
	return answer, nil
}

// Budgets says where every budget stands that matches a call.
func (s *service) Budgets(ctx context.Context, asked *decisionpb.BudgetsRequest) (*decisionpb.BudgetsResponse, error) {
	call := &budget.Call{Provider: asked.Provider, Model: asked.Model, Operation: asked.Operation}
	if err := s.attribute(ctx, call, asked.Attribution); err != nil {
		return nil, s.failed(ctx, "budgets", err)
	}
	found, err := s.engine.Standing(ctx, call)
	if err != nil {
		return nil, s.failed(ctx, "budgets", err)
	}
	answer := &decisionpb.BudgetsResponse{}
	for i := range found {
		answer.Budgets = append(answer.Budgets, standingOf(&found[i]))
	}
	s.count(ctx, "budgets", "answered")
	return answer, nil
}

// -- what is asked -----------------------------------------------------------------------------------------------------

func wrong(said string) error { return errors.New(said) }

func (s *service) call(ctx context.Context, asked *decisionpb.ReserveRequest) (*budget.Call, error) {
	call := &budget.Call{
		Provider: asked.Provider, Model: asked.Model, Operation: asked.Operation, InputTokens: -1, Cost: -1, ComputeMs: -1,
		Currency: budget.Currency,
	}
	for _, text := range []string{asked.Provider, asked.Model, asked.Operation} {
		if len(text) > longestText {
			return nil, wrong("provider, model or operation is longer than 500 bytes.  fix: send the provider's name of the model")
		}
	}
	if err := s.attribute(ctx, call, asked.Attribution); err != nil {
		return nil, err
	}
	return call, s.estimate(call, asked.GetEstimate())
}

// attribute says for whom a call is made: what the authentication proves goes before what the request claims.
func (s *service) attribute(ctx context.Context, call *budget.Call, claimed *decisionpb.Attribution) error {
	caller := s.resolver.Caller(ctx)
	under := s.resolver.Under(pcommon.NewMap(), &caller)
	var stated attribution.Attribution
	for field, value := range [...]string{
		claimed.GetTeam(), claimed.GetProject(), claimed.GetEnvironment(), claimed.GetCustomerId(), claimed.GetCostCenter(),
		claimed.GetFeature(), claimed.GetSessionId(),
	} {
		if len(value) > longestText {
			return wrong(attribution.Fields[field] + " is longer than 500 bytes.  fix: send a name")
		}
		stated.Set(field, value)
	}
	if len(claimed.GetTags()) > mostTags {
		return wrong("there are more than 50 tags.  fix: send those that budgets look at")
	}
	call.Tags = claimed.GetTags()
	call.Attribution = s.resolver.Stated(under, &stated, &caller)
	return nil
}

// estimate works out the most a call can take.
func (s *service) estimate(call *budget.Call, asked *decisionpb.Estimate) error {
	if asked == nil {
		return nil
	}
	if asked.InputTokens > 0 || asked.MaxOutputTokens > 0 {
		call.InputTokens = int64(asked.InputTokens)
		call.OutputTokens = int64(asked.MaxOutputTokens) * int64(max(asked.Choices, 1))
		call.Reducible = asked.Reducible && asked.Choices <= 1
	}
	if asked.Amount == "" {
		if call.InputTokens >= 0 {
			call.Cost = s.bound(call, call.OutputTokens)
			call.InputCost = max(s.bound(call, 0), 0)
		}
		return nil
	}
	unit := asked.Currency
	if unit == "" {
		unit = budget.Currency
	}
	if len(unit) != 3 || strings.ToUpper(unit) != unit {
		return wrong("estimate.currency is no code of ISO 4217.  fix: currency: \"USD\"")
	}
	counted, err := budget.Counted(asked.Amount, unit)
	if err != nil {
		return err
	}
	call.Cost, call.Currency = counted, unit
	return nil
}

// bound is what so many tokens cost at most, in nano-units: each token that goes in at the dearest way it can be billed.
// Below 0 without a price.
func (s *service) bound(call *budget.Call, output int64) int64 {
	query := pricing.Query{Provider: call.Provider, RequestModel: call.Model, At: time.Now()}
	most := int64(-1)
	for _, meter := range []string{"input", "cache_write", "cache_write_1h"} {
		usage := pricing.NewUsage()
		usage.Set(meter, pricing.Whole(call.InputTokens))
		if output > 0 {
			usage.Set("output", pricing.Whole(output))
		}
		most = max(most, s.nanos(&usage, &query))
	}
	return most
}

func (s *service) nanos(usage *pricing.Usage, query *pricing.Query) int64 {
	price := s.book.Price(usage, query)
	if price.Status == pricing.Unpriced || len(price.Missing) > 0 {
		return -1
	}
	if nanos, ok := budget.CountedMoney(price.Amount); ok {
		return nanos
	}
	return -1
}

// used is what a call used, as it is told; what is not told of is charged as reserved.
func (s *service) used(told *decisionpb.Usage) (budget.Used, error) {
	used := budget.Nothing
	if told == nil {
		return used, nil
	}
	usage, stated := pricing.NewUsage(), false
	for _, each := range []struct {
		meter string
		count *uint32
	}{
		{"input", told.InputTokens}, {"output", told.OutputTokens}, {"cache_read", told.CacheReadTokens},
		{"cache_write", told.CacheWriteTokens},
	} {
		if each.count != nil {
			usage.Set(each.meter, pricing.Whole(int64(*each.count)))
			used.Tokens, stated = max(used.Tokens, 0)+int64(*each.count), true
		}
	}
	if told.ComputeSeconds != "" {
		counted, err := budget.Counted(told.ComputeSeconds, budget.ComputeSeconds)
		if err != nil {
			return used, err
		}
		used.ComputeMs = counted
	}
	used.Currency = budget.Currency
	if told.Cost != "" {
		if told.Currency != "" {
			used.Currency = told.Currency
		}
		counted, err := budget.Counted(told.Cost, used.Currency)
		used.Cost = counted
		return used, err
	}
	if stated && told.Model != "" {
		query := pricing.Query{
			Provider: told.Provider, RequestModel: told.Model, ResponseModel: told.Model, ServiceTier: told.ServiceTier,
			At: time.Now(),
		}
		used.Cost = s.nanos(&usage, &query)
	}
	return used, nil
}

// -- what is answered --------------------------------------------------------------------------------------------------

func momentOf(seconds float64) *timestamppb.Timestamp {
	whole, part := math.Modf(seconds)
	return &timestamppb.Timestamp{Seconds: int64(whole), Nanos: int32(math.Round(part*1e6)) % 1_000_000 * 1000}
}

func legsOf(legs []budget.Leg, amounts []int64) []*decisionpb.Leg {
	var made []*decisionpb.Leg
	for place := range min(len(legs), len(amounts)) {
		name, _, _, _, _ := budget.ParseKey(legs[place].Key)
		unit := legs[place].Unit
		made = append(made, &decisionpb.Leg{Budget: name, Unit: unit, Amount: budget.AmountOf(amounts[place], unit)})
	}
	return made
}

func standingOf(given *budget.Standing) *decisionpb.Standing {
	leg, declared := &given.Plan.Legs[given.Place], given.Plan.Budgets[given.Place]
	made := &decisionpb.Standing{
		Budget: declared.Name, Period: given.Plan.Spans[given.Place].Label, Unit: leg.Unit,
		Allocated: budget.AmountOf(leg.Limit, leg.Unit), Consumed: budget.AmountOf(leg.Limit-given.Left, leg.Unit),
		Remaining: budget.AmountOf(given.Left, leg.Unit), Group: map[string]string{},
	}
	for place, field := range declared.GroupBy() {
		made.Group[field] = given.Plan.Groups[given.Place][place]
	}
	return made
}

// failed is an error as the protocols have it.
func (s *service) failed(ctx context.Context, operation string, err error) error {
	code := codes.InvalidArgument
	var conflict *budget.Conflict
	switch {
	case errors.Is(err, budget.ErrUnknown):
		code = codes.NotFound
	case errors.As(err, &conflict):
		code = codes.Aborted
	case budget.IsStoreError(err):
		code = codes.Unavailable
	}
	s.count(ctx, operation, codeNames[code])
	return status.Error(code, err.Error())
}

func (s *service) count(ctx context.Context, operation, result string) {
	s.telemetry.GenopsDecisionRequests.Add(ctx, 1,
		metric.WithAttributes(attribute.String("operation", operation), attribute.String("result", result)))
}
