package budget

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) {
	if os.Getenv("BUDGET_TEST_CHILD") != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

var (
	ctx = context.Background()
	nop = zap.NewNop()
)

// server is a redis-server of a test's own; it ends with the test.
type server struct {
	port    int
	process *exec.Cmd
	args    []string
}

func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server was not found, and CI never skips it.")
		}
		t.Skip("redis-server was not found.  fix: apt-get install redis-server")
	}
	for range 5 {
		made := &server{port: 20000 + rand.IntN(30000), args: args}
		if made.start(t) {
			t.Cleanup(made.stop)
			return made
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

func (s *server) start(t testing.TB) bool {
	given := append([]string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()}, s.args...)
	s.process = exec.Command("redis-server", given...)
	require.NoError(t, s.process.Start())
	client, err := connect(s.url(), time.Second)
	require.NoError(t, err)
	defer client.Close()
	for range 100 {
		if client.Ping(ctx).Err() == nil {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.stop()
	return false
}

func (s *server) stop() {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
}

func (s *server) url() string { return fmt.Sprintf("redis://127.0.0.1:%d/0", s.port) }

func openRedis(t testing.TB, s *server) *Redis {
	made, err := OpenRedis(s.url(), "test", 2*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { _ = made.Close() })
	return made
}

// eachStore runs a test over every kind of store.
func eachStore(t *testing.T, run func(t *testing.T, store Store)) {
	t.Run("memory", func(t *testing.T) { run(t, NewMemory(nil)) })
	t.Run("file", func(t *testing.T) {
		store, err := OpenFile(t.TempDir(), false, nil)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, store.Close()) })
		run(t, store)
	})
	t.Run("redis", func(t *testing.T) { run(t, openRedis(t, startRedis(t))) })
}

func declared(t testing.TB, declarations ...map[string]any) []*Budget {
	var given []any
	for _, each := range declarations {
		given = append(given, each)
	}
	budgets, err := Parse(given, nil)
	require.NoError(t, err)
	return budgets
}

func callOf(team, customer string, nanos int64) *Call {
	call := &Call{Cost: nanos, Currency: "USD", ComputeMs: -1, InputTokens: 1000, OutputTokens: 100, Model: "gpt-5.4"}
	call.Attribution[0], call.Attribution[3] = team, customer
	return call
}

func (s *Standing) used() int64 { return s.Plan.Legs[s.Place].Limit - s.Left }

func usedOf(t testing.TB, e *Engine, call *Call) map[string]int64 {
	found, err := e.Standing(ctx, call)
	require.NoError(t, err)
	used := map[string]int64{}
	for _, each := range found {
		used[each.Plan.Budgets[each.Place].Name] = each.used()
	}
	return used
}

var twoBudgets = []map[string]any{
	{"name": "team", "group_by": "team", "limit": "1", "window": "total"},
	{"name": "customer", "group_by": "customer_id", "limit": "0.6", "window": "total"},
}

func TestReservationTakesFromAllBudgetsOrFromNone(t *testing.T) {
	eachStore(t, func(t *testing.T, store Store) {
		var alerts []Alert
		e := NewEngine(declared(t, twoBudgets...), store, nop, func(given []Alert) { alerts = append(alerts, given...) })
		admission, err := e.Reserve(ctx, "a", callOf("search", "acme", 500_000_000), 60)
		require.NoError(t, err)
		assert.Equal(t, Allowed, admission.Result())
		require.NotNil(t, admission.Held)
		assert.Equal(t, "customer", admission.Held.Plan.Budgets[admission.Held.Place].Name)
		assert.Equal(t, int64(100_000_000), admission.Held.Left)

		again, err := e.Reserve(ctx, "a", callOf("search", "acme", 500_000_000), 60)
		require.NoError(t, err)
		assert.Equal(t, Allowed, again.Result(), "a repetition gives the same answer and takes nothing")

		refused, err := e.Reserve(ctx, "b", callOf("search", "acme", 200_000_000), 60)
		require.NoError(t, err)
		assert.Equal(t, Blocked, refused.Result())
		assert.Equal(t, Finding{
			Blocked, NotReserved, "customer",
			"budget 'customer' for customer_id=acme refuses the call: 0.1 USD of 0.6 USD left; the call may take 0.2 USD",
			"lower the output limit (max_tokens), send less, or raise limit of budget 'customer' (budgets[1])",
		}, refused.Findings[0])
		assert.Equal(t, map[string]int64{"team": 500_000_000, "customer": 500_000_000}, usedOf(t, e, callOf("search", "acme", 1)))

		ended, err := e.Settle(ctx, "a", &Used{Cost: 590_000_000, Currency: "USD", Tokens: -1, ComputeMs: -1}, false)
		require.NoError(t, err)
		assert.Equal(t, []int64{590_000_000, 590_000_000}, ended.Charged)
		var passed []string
		for _, alert := range alerts {
			passed = append(passed, fmt.Sprint(alert.Budget.Name, alert.Threshold))
		}
		assert.Equal(t, []string{"team50", "customer50", "customer80"}, passed)

		ended, err = e.Settle(ctx, "a", &Used{Cost: 590_000_000, Currency: "USD", Tokens: -1, ComputeMs: -1}, false)
		require.NoError(t, err)
		assert.True(t, ended.Repeated)
		_, err = e.Settle(ctx, "a", &Used{Cost: 1, Currency: "USD", Tokens: -1, ComputeMs: -1}, false)
		assert.ErrorAs(t, err, new(*Conflict))
		_, err = e.Reserve(ctx, "a", callOf("search", "acme", 1), 60)
		assert.ErrorAs(t, err, new(*Conflict))
		_, err = e.Settle(ctx, "nobody", &Nothing, false)
		assert.ErrorIs(t, err, ErrUnknown)
		assert.Equal(t, map[string]int64{"team": 590_000_000, "customer": 590_000_000}, usedOf(t, e, callOf("search", "acme", 1)))
	})
}

func TestChargeCountsOnceForEachIDAndGoesOverTheLimit(t *testing.T) {
	eachStore(t, func(t *testing.T, store Store) {
		var alerts []Alert
		e := NewEngine(declared(t, twoBudgets...), store, nop, func(given []Alert) { alerts = append(alerts, given...) })
		plan := e.Plan(callOf("search", "acme", 0), e.Clock())
		used := Used{Cost: 700_000_000, Currency: "USD", Tokens: -1, ComputeMs: -1}
		charge := Charge{ID: "x", Plan: plan, Actuals: plan.Actuals(&used, nil), Trace: [16]byte{1}}
		for range 3 {
			made, err := e.Charge(ctx, []Charge{charge, charge})
			require.NoError(t, err)
			assert.Equal(t, []int64{700_000_000, 700_000_000}, made[1].Used)
			assert.True(t, made[1].Repeated)
		}
		assert.Len(t, alerts, 4, "team 50; customer 50, 80, 100; each once")
		assert.Equal(t, [16]byte{1}, alerts[0].Trace)
		assert.Equal(t, map[string]int64{"team": 700_000_000, "customer": 700_000_000}, usedOf(t, e, callOf("search", "acme", 1)))
	})
}

func TestChargeLeavesAnOpenReservationToItsOwner(t *testing.T) {
	eachStore(t, func(t *testing.T, store Store) {
		e := NewEngine(declared(t, twoBudgets...), store, nop, nil)
		_, err := e.Reserve(ctx, "x", callOf("search", "acme", 300_000_000), 60)
		require.NoError(t, err)
		plan := e.Plan(callOf("search", "acme", 0), e.Clock())
		made, err := e.Charge(ctx, []Charge{{ID: "x", Plan: plan, Actuals: []int64{1, 1}}})
		require.NoError(t, err)
		assert.True(t, made[0].Repeated)
		ended, err := e.Settle(ctx, "x", &Used{Cost: 200_000_000, Currency: "USD", Tokens: -1, ComputeMs: -1}, false)
		require.NoError(t, err)
		assert.False(t, ended.Repeated)
		assert.Equal(t, int64(200_000_000), usedOf(t, e, callOf("search", "acme", 1))["team"])
	})
}

func TestOrphanIsChargedAndALateSettlementCorrectsIt(t *testing.T) {
	eachStore(t, func(t *testing.T, store Store) {
		e := NewEngine(declared(t, twoBudgets...), store, nop, nil)
		_, err := e.Reserve(ctx, "orphan", callOf("search", "acme", 300_000_000), 0.02)
		require.NoError(t, err)
		time.Sleep(50 * time.Millisecond)
		e.Tidy(ctx)
		record, err := store.Reservation(ctx, "orphan")
		require.NoError(t, err)
		assert.Equal(t, Expired, record.State)
		assert.Equal(t, int64(300_000_000), usedOf(t, e, callOf("search", "acme", 1))["team"], "never silently freed")
		ended, err := e.Settle(ctx, "orphan", &Used{Cost: 100_000_000, Currency: "USD", Tokens: -1, ComputeMs: -1}, false)
		require.NoError(t, err)
		assert.True(t, ended.Late)
		assert.Equal(t, int64(100_000_000), usedOf(t, e, callOf("search", "acme", 1))["team"])
	})
}

func TestExtendedReservationLives(t *testing.T) {
	eachStore(t, func(t *testing.T, store Store) {
		e := NewEngine(declared(t, twoBudgets...), store, nop, nil)
		_, err := e.Reserve(ctx, "long", callOf("search", "acme", 300_000_000), 0.02)
		require.NoError(t, err)
		open, _, err := e.Extend(ctx, "long", 60)
		require.NoError(t, err)
		assert.True(t, open)
		time.Sleep(50 * time.Millisecond)
		e.Tidy(ctx)
		record, err := store.Reservation(ctx, "long")
		require.NoError(t, err)
		assert.Equal(t, Open, record.State)
		ended, err := e.Settle(ctx, "long", &Nothing, true)
		require.NoError(t, err)
		assert.Equal(t, Released, ended.State)
		assert.Zero(t, usedOf(t, e, callOf("search", "acme", 1))["team"])
		open, _, err = e.Extend(ctx, "long", 60)
		require.NoError(t, err)
		assert.False(t, open)
	})
}

// Many goroutines reserve, settle, release and repeat at random: the limit is never passed, and what is left at the end
// is what was settled.
func TestNeverMoreIsSpentThanTheLimit(t *testing.T) {
	eachStore(t, func(t *testing.T, store Store) {
		e := NewEngine(declared(t,
			map[string]any{"name": "all", "limit": "1", "window": "total"},
			map[string]any{"name": "team", "group_by": "team", "limit": "0.7", "window": "year"},
			map[string]any{"name": "tokens", "unit": "tokens", "limit": 200_000, "window": map[string]any{"rolling": "24h"}},
			map[string]any{"name": "flight", "unit": "concurrent", "limit": 5},
		), store, nop, nil)
		var settled, flying, most atomic.Int64
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				random := rand.New(rand.NewPCG(uint64(worker), 7))
				for i := range 40 {
					id, amount := fmt.Sprintf("%d-%d", worker, i), 1+random.Int64N(20_000_000)
					call := callOf([]string{"a", "b"}[random.IntN(2)], "c", amount)
					admission, err := e.Reserve(ctx, id, call, 60)
					if !assert.NoError(t, err) || admission.Held == nil {
						continue
					}
					now := flying.Add(1)
					for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
					}
					used := Used{Cost: random.Int64N(amount + 1), Currency: "USD", Tokens: 900, ComputeMs: -1}
					release := random.IntN(5) == 0
					flying.Add(-1)
					for range 1 + random.IntN(2) {
						_, err = e.Settle(ctx, id, &used, release)
						assert.NoError(t, err)
					}
					if !release {
						settled.Add(used.Cost)
					}
				}
			})
		}
		all.Wait()
		used := usedOf(t, e, callOf("a", "c", 1))
		assert.Equal(t, settled.Load(), used["all"])
		assert.LessOrEqual(t, used["all"], int64(1_000_000_000))
		assert.LessOrEqual(t, used["team"], int64(700_000_000))
		assert.LessOrEqual(t, used["tokens"], int64(200_000))
		assert.Zero(t, used["flight"])
		assert.LessOrEqual(t, most.Load(), int64(5))
	})
}

// child reserves and settles until nothing fits, as one of many processes.
func child() {
	store, err := OpenRedis(os.Getenv("BUDGET_TEST_CHILD"), "test", 5*time.Second)
	if err != nil {
		panic(err)
	}
	budgets, _ := Parse([]any{map[string]any{"name": "all", "limit": "1", "window": "total"}}, nil)
	e := NewEngine(budgets, store, nop, nil)
	spent := int64(0)
	for i := range 200 {
		id := fmt.Sprintf("%d-%d", os.Getpid(), i)
		admission, err := e.Reserve(ctx, id, callOf("a", "b", 10_000_000), 60)
		if err != nil {
			panic(err)
		}
		if admission.Held == nil {
			break
		}
		if _, err := e.Settle(ctx, id, &Used{Cost: 9_999_999, Currency: "USD", Tokens: -1, ComputeMs: -1}, false); err != nil {
			panic(err)
		}
		spent += 9_999_999
	}
	fmt.Println(spent)
}

func TestManyProcessesNeverOverspendOneRedisBudget(t *testing.T) {
	redis := startRedis(t)
	var all sync.WaitGroup
	var total atomic.Int64
	for range 6 {
		all.Go(func() {
			command := exec.Command(os.Args[0])
			command.Env = append(os.Environ(), "BUDGET_TEST_CHILD="+redis.url())
			out, err := command.Output()
			assert.NoError(t, err)
			spent, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
			assert.NoError(t, err, string(out))
			total.Add(spent)
		})
	}
	all.Wait()
	store := openRedis(t, redis)
	found, err := store.Usage(ctx, []string{"all||total@0"})
	require.NoError(t, err)
	assert.Equal(t, Counter{"all||total@0", total.Load(), 0}, found[0])
	assert.LessOrEqual(t, total.Load(), int64(1_000_000_000))
	assert.Greater(t, total.Load(), int64(980_000_000))
}

func TestFitLowersTheOutputLimitToWhatIsLeft(t *testing.T) {
	e := NewEngine(declared(t, map[string]any{"name": "fit", "limit": "1", "window": "total", "estimator": "fit"}), NewMemory(nil), nop, nil)
	call := callOf("a", "b", 2_000_000_000)
	call.InputCost, call.OutputTokens = 500_000_000, 1500
	admission, err := e.Reserve(ctx, "a", call, 60)
	require.NoError(t, err)
	assert.Equal(t, Blocked, admission.Result(), "the request may not be changed")
	call.Reducible = true
	admission, err = e.Reserve(ctx, "a", call, 60)
	require.NoError(t, err)
	assert.Equal(t, int64(500), admission.MaxOutputTokens)
	assert.Equal(t, []int64{1_000_000_000}, admission.Held.Amounts)
}

func TestWhatIsNotPricedIsRefusedUnlessTheBudgetSaysOtherwise(t *testing.T) {
	for choice, want := range map[any]string{"block": Blocked, "warn": Warning, "0.25": Allowed} {
		e := NewEngine(declared(t, map[string]any{"name": "m", "limit": 1, "on_unpriced": choice}), NewMemory(nil), nop, nil)
		admission, err := e.Reserve(ctx, "a", callOf("a", "b", -1), 60)
		require.NoError(t, err)
		assert.Equal(t, want, admission.Result())
		if choice == "0.25" {
			assert.Equal(t, []int64{250_000_000}, admission.Held.Amounts)
		}
	}
}

func TestRateLimitSaysWhenToComeBack(t *testing.T) {
	budgets, err := Parse(nil, []any{map[string]any{"name": "calls", "limit": 2, "per": "1m"}})
	require.NoError(t, err)
	e := NewEngine(budgets, NewMemory(func() float64 { return 1_000_002 }), nop, nil)
	for i := range 3 {
		admission, err := e.Reserve(ctx, fmt.Sprint(i), callOf("a", "b", 1), 60)
		require.NoError(t, err)
		if i < 2 {
			assert.Equal(t, Allowed, admission.Result())
			continue
		}
		assert.Equal(t, RateLimited, admission.Result())
		assert.Equal(t, 3.0, admission.RetryAfterS)
	}
}

func TestPlansAndMemoryAreBounded(t *testing.T) {
	e := NewEngine(declared(t, twoBudgets...), NewMemory(nil), nop, nil)
	for i := range 3 * mostPlans {
		e.Plan(callOf("a", fmt.Sprint(i), 1), 1e9)
	}
	assert.LessOrEqual(t, len(e.planner.plans), mostPlans)
}

func TestConfigurationOfRedisIsChecked(t *testing.T) {
	for address, want := range map[string]string{
		"http://x":                      "its scheme is unknown",
		"sentinel://user:secret@a:1,b/": "names the service",
		"redis://:secret@host:x/0":      "cannot be read",
	} {
		_, err := OpenRedis(address, "a", time.Second)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "secret")
	}
	_, err := OpenRedis("redis://x", "a:b", time.Second)
	assert.ErrorContains(t, err, "namespace: production")
	made, err := OpenRedis("sentinel://u:p%40@a:1,b/main/2?sentinel_password=x", "a", time.Second)
	require.NoError(t, err)
	assert.NoError(t, made.Close())
	made, err = OpenRedis("cluster://a:7000?addr=b:7001", "a", time.Second)
	require.NoError(t, err)
	assert.NoError(t, made.Close())
}

// -- the file ----------------------------------------------------------------------------------------------------------

func TestFileComesBackAsItWas(t *testing.T) {
	directory, moment := t.TempDir(), 1e9
	clock := func() float64 { moment += 0.001; return moment }
	store, err := OpenFile(directory, true, clock)
	require.NoError(t, err)
	_, err = OpenFile(directory, true, clock)
	assert.ErrorContains(t, err, "in use by another process")
	e := NewEngine(declared(t, append(twoBudgets, map[string]any{"name": "r", "limit": 5, "window": map[string]any{"rolling": "1h"}})...), store, nop, nil)
	for i := range 50 {
		id := fmt.Sprint(i)
		admission, err := e.Reserve(ctx, id, callOf("a", "b", 10_000_000), 1+float64(i%3)*1000)
		require.NoError(t, err)
		require.NotNil(t, admission.Held)
		switch i % 4 {
		case 0:
			_, err = e.Settle(ctx, id, &Used{Cost: int64(i), Currency: "USD", Tokens: 1, ComputeMs: -1}, i%8 == 0)
		case 1:
			plan := e.Plan(callOf("a", id, 0), moment)
			_, err = e.Charge(ctx, []Charge{{ID: "c" + id, Plan: plan, Actuals: plan.Actuals(&Used{Cost: 3, Currency: "USD"}, nil)}})
		case 2:
			_, _, err = e.Extend(ctx, id, 5000)
		}
		require.NoError(t, err)
		if i == 25 {
			moment += 500
			e.Tidy(ctx)
			store.commit.Lock()
			store.mu.Lock()
			require.NoError(t, store.rewrite())
			store.mu.Unlock()
			store.commit.Unlock()
		}
	}
	before := contents(store.Memory)
	text, err := os.ReadFile(store.path())
	require.NoError(t, err)
	require.NoError(t, store.Close())

	// Whatever the process was doing when it was killed: a line that is not whole was not acknowledged.
	require.NoError(t, os.WriteFile(store.path(), append(text, `0badc0de {"o":"c","i":"torn`...), 0o600))
	store, err = OpenFile(directory, true, clock)
	require.NoError(t, err)
	assert.Equal(t, before, contents(store.Memory))
	require.NoError(t, store.Close())

	text[len(text)/2] ^= 0x20
	require.NoError(t, os.WriteFile(store.path(), text, 0o600))
	_, err = OpenFile(directory, true, clock)
	assert.ErrorContains(t, err, "is damaged")
	assert.ErrorContains(t, err, "fix: restore the file")
}

// contents is everything a store holds, as text.
func contents(m *Memory) []string {
	var found []string
	for key, each := range m.counters {
		found = append(found, fmt.Sprint(key, *each))
	}
	for id, each := range m.open {
		found = append(found, fmt.Sprint("open", id, each.State, each.Amounts, each.Charges, each.expires))
	}
	for _, id := range m.order[m.head:] {
		each := m.ended[id]
		found = append(found, fmt.Sprint("ended", id, each.State, each.Amounts, each.Charges))
	}
	for id := range m.charged.known {
		found = append(found, fmt.Sprintf("charged %x", id))
	}
	slices.Sort(found)
	return found
}

func TestDiskThatIsFullRefusesAndComesBack(t *testing.T) {
	directory := t.TempDir()
	store, err := OpenFile(directory, false, nil)
	require.NoError(t, err)
	e := NewEngine(declared(t, twoBudgets...), store, nop, nil)
	require.NoError(t, store.file.Close()) // every write fails from here on
	admission, err := e.Reserve(ctx, "a", callOf("a", "b", 1), 60)
	require.NoError(t, err)
	assert.Equal(t, Blocked, admission.Result())
	assert.Contains(t, admission.Findings[0].Message, "does not answer")
	time.Sleep(leftAlone + 10*time.Millisecond)
	admission, err = e.Reserve(ctx, "b", callOf("a", "b", 1), 60)
	require.NoError(t, err)
	assert.Equal(t, Allowed, admission.Result(), "written anew as a whole")
	require.NoError(t, e.Close(ctx))
	store, err = OpenFile(directory, false, nil)
	require.NoError(t, err)
	record, err := store.Reservation(ctx, "b")
	require.NoError(t, err)
	assert.Equal(t, Open, record.State)
	require.NoError(t, store.Close())
}

func FuzzJournal(f *testing.F) {
	line := encode(&operation{Op: opCounter, ID: "a||total@0", Amounts: []int64{1, 2}})
	f.Add(append(line, encode(&operation{Op: opReserve, ID: "x", Number: 3})...))
	f.Fuzz(func(t *testing.T, text []byte) {
		directory := t.TempDir()
		if os.WriteFile(filepath.Join(directory, journalName), text, 0o600) != nil {
			return
		}
		if store, err := OpenFile(directory, false, nil); err == nil {
			_ = store.Close()
		}
	})
}

// -- faults of Redis ---------------------------------------------------------------------------------------------------

func TestRedisThatIsAwayIsAnsweredForByEachBudgetAndToldLater(t *testing.T) {
	directory := t.TempDir()
	redis := startRedis(t, "--appendonly", "yes", "--appendfsync", "always", "--dir", directory)
	store, err := OpenRedis(redis.url(), "test", 200*time.Millisecond)
	require.NoError(t, err)
	e := NewEngine(declared(t,
		map[string]any{"name": "open", "limit": 1, "window": "total", "on_store_error": "fail_open"},
		map[string]any{
			"name": "allowance", "limit": 1, "window": "total", "match": map[string]any{"team": "b"},
			"on_store_error": "local_allowance", "slice": "0.5",
		},
		map[string]any{"name": "closed", "limit": 1, "window": "total", "match": map[string]any{"team": "c"}},
	), store, nop, nil)
	admission, err := e.Reserve(ctx, "before", callOf("a", "x", 100_000_000), 60)
	require.NoError(t, err)
	require.Equal(t, Allowed, admission.Result())

	redis.stop()
	admission, err = e.Reserve(ctx, "open", callOf("a", "x", 300_000_000), 60)
	require.NoError(t, err)
	assert.Equal(t, Warning, admission.Result())
	assert.Equal(t, StoreUnavailable, admission.Findings[0].Code)
	_, err = e.Settle(ctx, "open", &Used{Cost: 200_000_000, Currency: "USD", Tokens: -1, ComputeMs: -1}, false)
	assert.True(t, IsStoreError(err))
	_, err = e.Settle(ctx, "before", &Used{Cost: 50_000_000, Currency: "USD", Tokens: -1, ComputeMs: -1}, false)
	assert.True(t, IsStoreError(err))

	admission, err = e.Reserve(ctx, "b1", callOf("b", "x", 400_000_000), 60)
	require.NoError(t, err)
	assert.Equal(t, Warning, admission.Result())
	admission, err = e.Reserve(ctx, "b2", callOf("b", "x", 400_000_000), 60)
	require.NoError(t, err)
	assert.Equal(t, Blocked, admission.Result())
	assert.Contains(t, admission.Findings[0].Message, "a local allowance of 0.5 USD that is used up")

	admission, err = e.Reserve(ctx, "c", callOf("c", "x", 1), 60)
	require.NoError(t, err)
	assert.Equal(t, Blocked, admission.Result())
	assert.Equal(t, NotReserved, admission.Findings[0].Code)
	plan := e.Plan(callOf("a", "x", 0), e.Clock())
	_, err = e.Charge(ctx, []Charge{{ID: "charge", Plan: plan, Actuals: []int64{7}}})
	assert.True(t, IsStoreError(err))

	require.True(t, redis.start(t))
	require.Eventually(t, func() bool { e.Tidy(ctx); return !e.outage.owing() && !e.outage.failing.Load() }, 10*time.Second, 50*time.Millisecond)
	_, err = e.Settle(ctx, "b1", &Used{Cost: 1_000, Currency: "USD", Tokens: -1, ComputeMs: -1}, false)
	require.NoError(t, err)
	assert.Equal(t, int64(200_000_000+50_000_000+7+1_000), usedOf(t, e, callOf("a", "x", 1))["open"])
	require.NoError(t, e.Close(ctx))
}

func TestRedisThatLostItsDataIsNotBelieved(t *testing.T) {
	redis := startRedis(t)
	store := openRedis(t, redis)
	e := NewEngine(declared(t, twoBudgets...), store, nop, nil)
	_, err := e.Reserve(ctx, "a", callOf("a", "b", 1), 60)
	require.NoError(t, err)
	require.NoError(t, store.client.FlushAll(ctx).Err())
	admission, err := e.Reserve(ctx, "b", callOf("a", "b", 1), 60)
	require.NoError(t, err)
	assert.Equal(t, Blocked, admission.Result())
	assert.Contains(t, admission.Findings[0].Message, "has lost what it held")
}

func TestScriptsThatTheServerForgotAreSentAgain(t *testing.T) {
	store := openRedis(t, startRedis(t))
	e := NewEngine(declared(t, twoBudgets...), store, nop, nil)
	for i := range 3 {
		require.NoError(t, store.client.ScriptFlush(ctx).Err())
		plan := e.Plan(callOf("a", "b", 0), e.Clock())
		_, err := e.Charge(ctx, []Charge{{ID: fmt.Sprint(i), Plan: plan, Actuals: []int64{1, 1}}})
		require.NoError(t, err)
	}
	assert.Equal(t, int64(3), usedOf(t, e, callOf("a", "b", 1))["team"])
}

func BenchmarkCharge(b *testing.B) {
	run := func(b *testing.B, store Store) {
		e := NewEngine(declared(b, twoBudgets...), store, nop, nil)
		call := callOf("search", "acme", 0)
		ids := make([]string, 512)
		charges := make([]Charge, 512)
		round := 0
		b.ReportAllocs()
		for b.Loop() {
			round++
			plan := e.Plan(call, e.Clock())
			for i := range charges {
				ids[i] = strconv.Itoa(round*512 + i)
				charges[i] = Charge{ID: ids[i], Plan: plan, Actuals: []int64{1000, 1000}}
			}
			if _, err := e.Charge(ctx, charges); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/call")
	}
	b.Run("memory", func(b *testing.B) { run(b, NewMemory(nil)) })
	b.Run("file", func(b *testing.B) {
		store, err := OpenFile(b.TempDir(), true, nil)
		require.NoError(b, err)
		defer store.Close()
		run(b, store)
	})
	b.Run("redis", func(b *testing.B) { run(b, openRedis(b, startRedis(b))) })
}
