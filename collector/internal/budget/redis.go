package budget

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/genops-ai/genops/collector/internal/data"
)

const (
	endedKeptS    = 7 * 86_400   // ended reservations whose repetition is recognised
	countersKept  = 400 * 86_400 // counters after their window: a year, for reports, and some
	atOnce        = 100          // expired reservations charged by one operation
	chargedAtOnce = 250          // calls in one round trip, so that it keeps within the timeout
	retries       = 1            // every operation may be repeated under its id
)

var scripts = sync.OnceValue(func() map[string]*redis.Script {
	var texts map[string]string
	if err := json.Unmarshal(data.BudgetScripts, &texts); err != nil {
		panic(err) // it is part of the program
	}
	found := make(map[string]*redis.Script, len(texts))
	for name, text := range texts {
		found[name] = redis.NewScript(text)
	}
	return found
})

// Redis is a Store on Redis or Valkey: the same keys and scripts as the Python store, so processes of both count on the
// same budgets. The time is the server's. A server that was restarted without its data is noticed and treated as one that
// does not answer, until `genops budgets reconcile` has rebuilt the counters.
type Redis struct {
	client  redis.UniversalClient
	shown   string
	prefix  string
	timeout time.Duration
	begun   time.Time
	ahead   atomic.Int64 // microseconds of the server's clock when begun
	asked   atomic.Bool
	mark    atomic.Pointer[string]
}

// OpenRedis is the store at a URL: redis://, rediss://, unix://, cluster://, clusters://, sentinel:// or sentinels://.
// Nothing is sent yet.
func OpenRedis(address, namespace string, timeout time.Duration) (*Redis, error) {
	if namespace == "" || strings.ContainsAny(namespace, "{}: ") {
		return nil, fmt.Errorf("the budget namespace '%s' must be text without braces, colons or blanks.  "+
			"fix: namespace: production", namespace)
	}
	client, err := connect(address, timeout)
	if err != nil {
		return nil, err
	}
	made := &Redis{
		client: client, shown: withoutPassword(address), prefix: "genops:{" + namespace + "}:", timeout: timeout,
		begun: time.Now(),
	}
	made.ahead.Store(made.begun.UnixMicro())
	none := ""
	made.mark.Store(&none)
	return made, nil
}

// Clock is the server's time; that of this machine until the server has answered once.
func (r *Redis) Clock() float64 {
	if !r.asked.Swap(true) {
		ctx, done := context.WithTimeout(context.Background(), r.timeout)
		defer done()
		_, _ = r.Usage(ctx, []string{"clock"})
	}
	return float64(r.ahead.Load()+time.Since(r.begun).Microseconds()) / 1e6
}

// Close ends the connections.
func (r *Redis) Close() error { return r.client.Close() }

func (r *Redis) arguments(extra []any) []any {
	var fresh [8]byte
	_, _ = rand.Read(fresh[:])
	return append([]any{r.prefix, *r.mark.Load(), hex.EncodeToString(fresh[:])}, extra...)
}

func (r *Redis) keys(plain ...string) []string {
	names := make([]string, 0, len(plain)+1)
	names = append(names, r.prefix+"mark")
	for _, key := range plain {
		names = append(names, r.prefix+"c:"+key)
	}
	return names
}

// run runs a script; the answer is its kind and what follows the mark.
func (r *Redis) run(ctx context.Context, name string, keys []string, extra ...any) (string, []string, error) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), (retries+1)*r.timeout)
	defer done()
	before := time.Now()
	answer, err := scripts()[name].Run(ctx, r.client, keys, r.arguments(extra)...).Slice()
	if err != nil {
		return "", nil, r.failure(err)
	}
	return r.read(answer, before)
}

func (r *Redis) read(answer []any, before time.Time) (string, []string, error) {
	parts := make([]string, len(answer))
	for place, part := range answer {
		parts[place], _ = part.(string)
	}
	if len(parts) < 2 {
		return "", nil, r.failure(errors.New("its answer is not understood"))
	}
	if server, err := strconv.ParseInt(parts[1], 10, 64); err == nil {
		now := time.Now()
		r.ahead.Store(server - before.Add(now.Sub(before)/2).Sub(r.begun).Microseconds())
		r.asked.Store(true)
	}
	if parts[0] == "LOST" {
		return "", nil, &StoreError{
			"the budget store " + r.shown + " has lost what it held: it was restarted empty, or emptied",
			"genops budgets reconcile   (it rebuilds the counters from the ledger)", nil,
		}
	}
	if len(parts) < 3 {
		return "", nil, r.failure(errors.New("its answer is not understood"))
	}
	if mark := parts[2]; mark != *r.mark.Load() {
		r.mark.Store(&mark)
	}
	return parts[0], parts[3:], nil
}

func (r *Redis) failure(err error) error {
	return &StoreError{
		fmt.Sprintf("the budget store %s does not answer: %s", r.shown, err),
		"start the server, or correct the URL of the budget store", err,
	}
}

// Reserve takes the amounts from all legs or from none.
func (r *Redis) Reserve(ctx context.Context, request *Request) (*Granted, *Refused, error) {
	legs, limits, names := request.Plan.asTexts()
	kind, rest, err := r.run(ctx, "reserve", r.keys(names...), request.ID, seconds6(request.Now), seconds6(request.Expires), legs,
		numbers(request.Amounts.Reserved), numbers(request.Amounts.OnExpiry), limits)
	if err != nil {
		return nil, nil, err
	}
	switch kind {
	case "ENDED":
		return nil, nil, r.ended(request.ID, rest, "be reserved again")
	case "REFUSED":
		place := int(number64(rest, 0))
		leg := &request.Plan.Legs[place]
		return nil, &Refused{place, number64(rest, 1), leg.Limit, retryAfter(leg, request.Now)}, nil
	}
	granted := &Granted{Tightest: int(number64(rest, 0)), Remaining: number64(rest, 1), Repeated: at(rest, 3) == "1"}
	for _, place := range numbersOf(at(rest, 2)) {
		granted.Over = append(granted.Over, int(place))
	}
	return granted, nil, nil
}

func (r *Redis) ended(id string, rest []string, asked string) error {
	return &Conflict{id, State(number64(rest, 0)), numbersOf(at(rest, 1)), asked}
}

// Reservation is a record by its id.
func (r *Redis) Reservation(ctx context.Context, id string) (*Record, error) {
	kind, rest, err := r.run(ctx, "reservation", r.keys(), id)
	if err != nil || kind == "NONE" {
		return nil, err
	}
	legs, err := legsOf(at(rest, 1))
	if err != nil {
		return nil, r.failure(err)
	}
	return &Record{id, State(number64(rest, 0)), legs, numbersOf(at(rest, 2)), numbersOf(at(rest, 3))}, nil
}

// Settle charges actuals in place of what is reserved.
func (r *Redis) Settle(ctx context.Context, id string, legs []Leg, actuals []int64, release bool) (Ended, error) {
	state := Settled
	if release {
		state = Released
	}
	kind, rest, err := r.run(ctx, "settle", r.keys(keysOf(legs)...), id, textOf(legs), numbers(actuals), int(state), endedKeptS)
	if err != nil {
		return Ended{}, err
	}
	if kind == "ENDED" {
		return Ended{}, r.ended(id, rest, fmt.Sprintf("be charged %v", actuals))
	}
	return endedOf(id, rest), nil
}

func endedOf(id string, rest []string) Ended {
	made := Ended{ID: id, State: State(number64(rest, 0)), Charged: numbersOf(at(rest, 2))}
	switch at(rest, 1) {
	case "repeated":
		made.Repeated = true
	case "late":
		made.Late = true
	case "unknown":
		made.Unknown = true
	}
	if len(rest) > 3 {
		made.Crossings = crossingsOf(rest[3:])
	}
	return made
}

// Charge posts what was spent already, hundreds of calls in one round trip.
func (r *Redis) Charge(ctx context.Context, charges []Charge) ([]Ended, error) {
	made := make([]Ended, 0, len(charges))
	for chunk := range slices.Chunk(charges, chargedAtOnce) {
		ended, err := r.chargeAll(ctx, chunk)
		if err != nil {
			return nil, err
		}
		made = append(made, ended...)
	}
	return made, nil
}

func (r *Redis) chargeAll(ctx context.Context, charges []Charge) ([]Ended, error) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), (retries+1)*r.timeout)
	defer done()
	answers, before, err := r.charge(ctx, charges)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = scripts()["charge"].Load(ctx, r.client).Err(); err == nil {
			answers, before, err = r.charge(ctx, charges)
		}
	}
	if err != nil {
		return nil, r.failure(err)
	}
	made := make([]Ended, len(charges))
	for place, answer := range answers {
		values, err := answer.Slice()
		if err != nil {
			return nil, r.failure(err)
		}
		_, rest, err := r.read(values, before)
		if err != nil {
			return nil, err
		}
		if len(rest) < 4 {
			return nil, r.failure(errors.New("its answer is not understood"))
		}
		made[place] = endedOf(charges[place].ID, append(rest[:3:3], rest[4:]...))
		made[place].Used = numbersOf(rest[3])
	}
	return made, nil
}

func (r *Redis) charge(ctx context.Context, charges []Charge) ([]*redis.Cmd, time.Time, error) {
	before, pipe := time.Now(), r.client.Pipeline()
	answers := make([]*redis.Cmd, len(charges))
	for place := range charges {
		given := &charges[place]
		legs, _, names := given.Plan.asTexts()
		answers[place] = scripts()["charge"].EvalSha(ctx, pipe, r.keys(names...),
			r.arguments([]any{given.ID, legs, numbers(given.Actuals), endedKeptS})...)
	}
	_, err := pipe.Exec(ctx)
	return answers, before, err
}

// Extend lets an open reservation live until expires.
func (r *Redis) Extend(ctx context.Context, id string, expires float64) (bool, error) {
	_, rest, err := r.run(ctx, "extend", r.keys(), id, seconds6(expires))
	return at(rest, 0) == "1", err
}

// ExpireDue charges open reservations whose time is over, of any process.
func (r *Redis) ExpireDue(ctx context.Context, now float64) ([]Ended, error) {
	_, rest, err := r.run(ctx, "expire", r.keys(), seconds6(now), atOnce, endedKeptS)
	if err != nil {
		return nil, err
	}
	var ended []Ended
	for len(rest) >= 3 {
		parts := min(int(number64(rest, 2)), len(rest)-3)
		ended = append(ended, Ended{
			ID: rest[0], State: Expired, Charged: numbersOf(rest[1]), Crossings: crossingsOf(rest[3 : 3+parts]),
		})
		rest = rest[3+parts:]
	}
	return ended, nil
}

// Usage is the counters of keys.
func (r *Redis) Usage(ctx context.Context, keys []string) ([]Counter, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	extra := make([]any, len(keys))
	for place, key := range keys {
		extra[place] = key
	}
	_, rest, err := r.run(ctx, "usage", r.keys(keys...), extra...)
	if err != nil {
		return nil, err
	}
	found := make([]Counter, len(keys))
	for place := range keys {
		found[place] = Counter{keys[place], number64(rest, 3*place+1), number64(rest, 3*place+2)}
	}
	return found, nil
}
