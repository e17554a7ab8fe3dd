// Package budget has the budgets of genops.yaml as values, which counters a call stands on, and what an engine does with
// them: the same declarations, windows, keys and answers as genops.core.budgets.
//
// Source: spec/budgets; vectors in spec/vectors/budget.
package budget

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/globs"
	"github.com/genops-ai/genops/collector/internal/suggest"
)

// Tag begins the name of a field that is a tag of the user's own: tag.<key>.
const Tag = "tag."

// What happens in a case of doubt, in the words of genops.yaml.
const (
	Hard           = "hard"
	Soft           = "soft"
	FailClosed     = "fail_closed"
	FailOpen       = "fail_open"
	LocalAllowance = "local_allowance"
	Block          = "block"
	Warn           = "warn"
	Flat           = "flat" // a flat amount stands for an unknown one
	Strict         = "strict"
	Adaptive       = "adaptive"
	Fit            = "fit"
)

const mostThresholds = 30 // bits of one mask

var (
	callFields = []string{"provider", "model", "operation"}
	fields     = append(slices.Clone(attribution.Fields[:]), callFields...)
	modes      = []string{Hard, Soft}
	onError    = []string{FailClosed, LocalAllowance, FailOpen}
	estimators = []string{Strict, Adaptive, Fit}
)

// Budget is a limit per window for the calls that match, one for each value of the fields it is grouped by. It is valid:
// Parse alone makes one. Amounts are counted units.
type Budget struct {
	Name         string
	Unit         string
	Limit        int64
	Window       Window
	Hard         bool
	Thresholds   []int // percent of the limit, in order
	OnStoreError string
	OnUnpriced   string
	FlatAmount   int64 // if OnUnpriced is Flat
	Estimator    string
	Slice        int64 // what one process may let through while the store does not answer
	Rate         bool  // a call over the limit is to wait
	Source       string

	match   []pattern
	groupBy []string
}

type pattern struct {
	field string
	globs []string // in lower case
}

// GroupBy are the fields that keep counters apart.
func (b *Budget) GroupBy() []string { return b.groupBy }

func (b *Budget) matches(value func(field string) string) bool {
	for _, each := range b.match {
		text := strings.ToLower(value(each.field))
		if text == "" || !slices.ContainsFunc(each.globs, func(glob string) bool { return globs.Match(glob, text) }) {
			return false
		}
	}
	return true
}

func (b *Budget) fail(what, fix string) error {
	return fmt.Errorf("%s: budget '%s' %s.  fix: %s", b.Source, b.Name, what, fix)
}

// check is what a declaration must hold beyond the shape of its parts.
func (b *Budget) check() error {
	if strings.TrimSpace(b.Name) == "" {
		return b.fail("has no name", "name: what-it-limits")
	}
	if len(b.Thresholds) > mostThresholds {
		return b.fail(fmt.Sprintf("has %d thresholds", len(b.Thresholds)), "give percentages of the limit: [50, 80, 100]")
	}
	for _, each := range b.Thresholds {
		if each < 1 || each > 1000 {
			return b.fail(fmt.Sprintf("has the threshold %d", each), "give percentages of the limit: [50, 80, 100]")
		}
	}
	if b.Unit == Concurrent && b.Window.Kind != Total {
		return b.fail("counts calls in flight, which have no window", "leave the window out")
	}
	if b.Slice == 0 && b.OnStoreError == LocalAllowance {
		return b.fail("has on_store_error: local_allowance and no slice", "slice: what one process may use")
	}
	if b.Slice > b.Limit {
		return b.fail(fmt.Sprintf("has a slice of %s; its limit is %s", AmountOf(b.Slice, b.Unit), AmountOf(b.Limit, b.Unit)),
			"give more than 0 and at most the limit")
	}
	return nil
}

func checkField(where, name string) error {
	if slices.Contains(fields, name) || (strings.HasPrefix(name, Tag) && name != Tag) {
		return nil
	}
	return fmt.Errorf("%s: '%s' is no field of a call.%s  fix: use %s or tag.<key>", where, name,
		suggest.DidYouMean(name, fields), strings.Join(fields, ", "))
}

// Key is the name of a counter: budget|field=value&...|series@start, with what separates quoted inside the parts.
func Key(name string, fields, values []string, series string, start int64) string {
	var text strings.Builder
	quote(&text, name)
	text.WriteByte('|')
	for place, field := range fields {
		if place > 0 {
			text.WriteByte('&')
		}
		quote(&text, field)
		text.WriteByte('=')
		quote(&text, values[place])
	}
	fmt.Fprintf(&text, "|%s@%d", series, start)
	return text.String()
}

const (
	plainBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~ /:@+"
	hexDigits  = "0123456789ABCDEF"
)

func quote(into *strings.Builder, text string) {
	for place := range len(text) {
		if char := text[place]; strings.IndexByte(plainBytes, char) >= 0 {
			into.WriteByte(char)
		} else {
			into.WriteByte('%')
			into.WriteByte(hexDigits[char>>4])
			into.WriteByte(hexDigits[char&15])
		}
	}
}

// Group is one value that a budget is kept apart by.
type Group struct{ Field, Value string }

func unquote(text string) (string, bool) {
	found, err := url.PathUnescape(text)
	return found, err == nil
}

// ParseKey is what Key was given; false for a text that is no key.
func ParseKey(key string) (name string, groups []Group, series string, start int64, ok bool) {
	parts := strings.Split(key, "|")
	if len(parts) != 3 {
		return "", nil, "", 0, false
	}
	if name, ok = unquote(parts[0]); !ok {
		return "", nil, "", 0, false
	}
	if parts[1] != "" {
		for member := range strings.SplitSeq(parts[1], "&") {
			field, value, _ := strings.Cut(member, "=")
			field, fine := unquote(field)
			value, good := unquote(value)
			if !fine || !good {
				return "", nil, "", 0, false
			}
			groups = append(groups, Group{field, value})
		}
	}
	series, from, found := strings.Cut(parts[2], "@")
	if _, err := fmt.Sscanf(from, "%d", &start); err != nil || !found {
		return "", nil, "", 0, false
	}
	return name, groups, series, start, true
}
