package budget

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/genops-ai/genops/collector/internal/suggest"
)

var (
	budgetKeys = []string{
		"name", "match", "group_by", "unit", "limit", "window", "mode", "thresholds", "on_store_error", "on_unpriced",
		"estimator", "slice",
	}
	rateKeys   = []string{"name", "match", "group_by", "unit", "limit", "per", "on_store_error"}
	windowKeys = []string{"every", "time_zone", "week_start", "anchor_day", "rolling", "buckets"}
	duration   = regexp.MustCompile(`^([1-9][0-9]{0,8})([smhd])$`)
	seconds    = map[string]int64{"s": 1, "m": 60, "h": hourS, "d": 24 * hourS}
)

// Parse reads what genops.yaml says under `budgets` and `rate_limits`. The error names the entry and what to write.
func Parse(budgets, rateLimits any) ([]*Budget, error) {
	found, err := list("budgets", budgets, parseBudget)
	if err != nil {
		return nil, err
	}
	limits, err := list("rate_limits", rateLimits, parseRateLimit)
	if err != nil {
		return nil, err
	}
	found = append(found, limits...)
	seen := map[string]string{}
	for _, each := range found {
		if where, there := seen[each.Name]; there {
			return nil, fmt.Errorf("%s: budget '%s' is there already (%s).  fix: give each budget a name of its own",
				each.Source, each.Name, where)
		}
		seen[each.Name] = each.Source
	}
	return found, nil
}

func list(key string, given any, read func(entry) (*Budget, error)) ([]*Budget, error) {
	if given == nil {
		return nil, nil
	}
	entries, ok := given.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: expected a list, got %s", key, said(given))
	}
	found := make([]*Budget, 0, len(entries))
	for place, value := range entries {
		where := fmt.Sprintf("%s[%d]", key, place)
		values, ok := value.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: expected an entry, got %s.  fix: {name: team-monthly, limit: 500}", where, said(value))
		}
		budget, err := read(entry{where, values})
		if err != nil {
			return nil, err
		}
		found = append(found, budget)
	}
	return found, nil
}

// scope reads what budgets and rate limits share.
func (e entry) scope(into *Budget) (err error) {
	into.Source = e.where
	if into.Name, err = e.text("name", "", "team-monthly"); err != nil {
		return err
	}
	if into.groupBy, err = e.names("group_by", "customer_id"); err != nil {
		return err
	}
	var once []string
	for _, field := range into.groupBy {
		if err = checkField(e.at("group_by"), field); err != nil {
			return err
		}
		if !slices.Contains(once, field) {
			once = append(once, field)
		}
	}
	into.groupBy = once
	if into.match, err = e.match(); err != nil {
		return err
	}
	return nil
}

func (e entry) match() ([]pattern, error) {
	value, given := e.values["match"]
	if !given {
		return nil, nil
	}
	patterns, ok := value.(map[string]any)
	if !ok {
		return nil, e.expected("match", "fields with patterns", "{team: search}")
	}
	under := entry{e.at("match"), patterns}
	var found []pattern
	for _, field := range slices.Sorted(maps.Keys(patterns)) {
		if err := checkField(under.where, field); err != nil {
			return nil, err
		}
		globs, err := under.names(field, "search")
		if err != nil {
			return nil, err
		}
		for place := range globs {
			globs[place] = strings.ToLower(globs[place])
		}
		found = append(found, pattern{field, globs})
	}
	return found, nil
}

func parseBudget(given entry) (*Budget, error) {
	made := &Budget{}
	if err := given.refuseUnknown(budgetKeys, "name", "limit"); err != nil {
		return nil, err
	}
	err := given.scope(made)
	if err != nil {
		return nil, err
	}
	if made.Unit, err = given.text("unit", "USD", "USD"); err != nil {
		return nil, err
	}
	if !isUnit(made.Unit) {
		return nil, fmt.Errorf("%s is '%s', no unit.%s  fix: use %s or another currency", given.at("unit"), made.Unit,
			suggest.DidYouMean(made.Unit, units), strings.Join(units, ", "))
	}
	if made.Limit, err = given.amount("limit", made.Unit); err != nil {
		return nil, err
	}
	if made.Window, err = given.window(made.Unit); err != nil {
		return nil, err
	}
	if err := given.choices(made); err != nil {
		return nil, err
	}
	if made.Thresholds, err = given.thresholds(); err != nil {
		return nil, err
	}
	if _, there := given.values["slice"]; there {
		if made.Slice, err = given.amount("slice", made.Unit); err != nil {
			return nil, err
		}
		if made.Slice == 0 {
			return nil, made.fail("has a slice of 0", "give more than 0 and at most the limit")
		}
	}
	return made, made.check()
}

// choices reads what happens in each case of doubt.
func (e entry) choices(into *Budget) error {
	mode, err := e.choice("mode", Hard, modes)
	if err != nil {
		return err
	}
	into.Hard = mode == Hard
	otherwise := FailClosed
	if !into.Hard {
		otherwise = FailOpen
	}
	if into.OnStoreError, err = e.choice("on_store_error", otherwise, onError); err != nil {
		return err
	}
	if into.Estimator, err = e.choice("estimator", Strict, estimators); err != nil {
		return err
	}
	into.OnUnpriced = Block
	value, given := e.values["on_unpriced"]
	if !given {
		return nil
	}
	if value == Block || value == Warn {
		into.OnUnpriced = value.(string)
		return nil
	}
	if _, ok := decimalOf(value); !ok {
		return e.expected("on_unpriced", "block, warn or a flat amount", `"0.05"`)
	}
	into.OnUnpriced = Flat
	into.FlatAmount, err = e.amount("on_unpriced", into.Unit)
	return err
}

func (e entry) thresholds() ([]int, error) {
	value, given := e.values["thresholds"]
	if !given {
		return []int{50, 80, 100}, nil
	}
	entries, ok := value.([]any)
	if !ok {
		return nil, e.expected("thresholds", "a list of percentages", "[50, 80, 100]")
	}
	var found []int
	for _, each := range entries {
		number, ok := whole(each)
		if !ok || number < 1 || number > 1000 {
			return nil, e.expected("thresholds", "a list of percentages", "[50, 80, 100]")
		}
		found = append(found, int(number))
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func (e entry) window(unit string) (Window, error) {
	value, given := e.values["window"]
	if !given {
		if unit == Concurrent {
			return newWindow(Window{Kind: Total})
		}
		return newWindow(Window{})
	}
	var err error
	made := Window{}
	if _, word := value.(string); word {
		if made.Kind, err = e.choice("window", Month, calendar); err != nil {
			return made, err
		}
		return newWindow(made)
	}
	values, ok := value.(map[string]any)
	if !ok {
		return made, e.expected("window", "a window", "month")
	}
	own := entry{e.at("window"), values}
	if err := own.refuseUnknown(windowKeys); err != nil {
		return made, err
	}
	_, every := values["every"]
	_, rolling := values["rolling"]
	if every == rolling {
		return made, fmt.Errorf("%s has to say either every or rolling.  fix: window: month, or {rolling: 24h}", own.where)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if (key == "rolling" || key == "buckets") != rolling {
			return made, fmt.Errorf("%s has no meaning for this kind of window.  fix: remove %s", own.at(key), key)
		}
	}
	if rolling {
		return own.rolling()
	}
	return own.every()
}

func (e entry) rolling() (Window, error) {
	made := Window{Kind: Rolling}
	var err error
	if made.LengthS, err = e.seconds("rolling", 0, "24h"); err != nil {
		return made, err
	}
	if made.Buckets, err = e.count("buckets", min(12, made.LengthS), 1, "24"); err != nil {
		return made, err
	}
	return e.checked(made)
}

func (e entry) every() (Window, error) {
	var made Window
	var err error
	if made.Kind, err = e.choice("every", Month, calendar); err != nil {
		return made, err
	}
	if made.TimeZone, err = e.text("time_zone", "UTC", "Europe/Berlin"); err != nil {
		return made, err
	}
	if made.WeekStart, err = e.choice("week_start", weekdays[0], weekdays); err != nil {
		return made, err
	}
	day, err := e.count("anchor_day", 1, 1, "15")
	if err != nil {
		return made, err
	}
	made.AnchorDay = int(min(day, 32))
	return e.checked(made)
}

func (e entry) checked(made Window) (Window, error) {
	made, err := newWindow(made)
	if err != nil {
		return made, fmt.Errorf("%s: %w", e.where, err)
	}
	return made, nil
}

// parseRateLimit reads a rate limit: a budget over a window that rolls in twelfths (in seconds below 12 of them).
func parseRateLimit(given entry) (*Budget, error) {
	made := &Budget{Rate: true, Hard: true, Estimator: Strict, OnUnpriced: Block}
	if err := given.refuseUnknown(rateKeys, "name", "limit"); err != nil {
		return nil, err
	}
	err := given.scope(made)
	if err != nil {
		return nil, err
	}
	if made.Unit, err = given.choice("unit", Requests, []string{Requests, Tokens, Concurrent}); err != nil {
		return nil, err
	}
	if made.Limit, err = given.count("limit", 0, 1, "60"); err != nil {
		return nil, err
	}
	if made.Limit > Largest {
		return nil, given.expected("limit", "a whole number below 2^53", "60")
	}
	if made.OnStoreError, err = given.choice("on_store_error", FailOpen, []string{FailOpen, FailClosed}); err != nil {
		return nil, err
	}
	perS, err := given.seconds("per", 60, "1m")
	if err != nil {
		return nil, err
	}
	made.Window = Window{Kind: Total}
	if made.Unit != Concurrent {
		made.Window = Window{Kind: Rolling, LengthS: perS, Buckets: min(12, perS)}
	}
	if made.Window, err = newWindow(made.Window); err != nil {
		return nil, fmt.Errorf("%s: %w", given.where, err)
	}
	return made, made.check()
}
