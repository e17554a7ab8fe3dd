package pricing

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // peak hours are told in the provider's time zone, on machines without a zone database, too
)

// What prices.json says, as it says it.
type document struct {
	Version   string               `json:"version"`
	Currency  string               `json:"currency"`
	Providers map[string]*provider `json:"providers"`
}

type provider struct {
	Fallback []string            `json:"fallback"`
	Models   []*row              `json:"models"`
	Factors  [][4]string         `json:"factors"`
	Fees     [][]json.RawMessage `json:"fees"`
	Free     []string            `json:"free"`
	Minimum  map[string]int64    `json:"minimum"`

	fees []fee
}

type fee struct {
	models, meter string
	price         meter
}

type row struct {
	ID       string          `json:"id"`
	Match    json.RawMessage `json:"match"`
	Prices   []*priceList    `json:"prices"`
	Variants []*variant      `json:"variants"`

	lowerID string
	tuned   bool
	fits    func(name string) bool
}

type priceList struct {
	When   *condition       `json:"when"`
	Meters map[string]meter `json:"meters"`
}

type variant struct {
	priceList
	For map[string]string `json:"for"`
}

type condition struct {
	From     string   `json:"from"`
	Weekdays []int    `json:"weekdays"`
	Timezone string   `json:"timezone"`
	Hours    []string `json:"hours"`

	zone *time.Location
}

// meter is the price of one meter: price for per units, or that of the last tier whose threshold the input passes.
type meter struct {
	price *big.Rat
	per   int64
	tiers []tier
}

type tier struct {
	inclusive bool // the threshold itself is passed
	threshold int64
	price     *big.Rat
}

func (m *meter) UnmarshalJSON(text []byte) error {
	var read struct {
		Price string               `json:"price"`
		Per   int64                `json:"per"`
		Tiers [][3]json.RawMessage `json:"tiers"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	price, ok := parseDecimal(read.Price)
	if !ok || read.Per <= 0 {
		return fmt.Errorf("no price: %s", text)
	}
	*m = meter{price: price, per: read.Per}
	for _, parts := range read.Tiers {
		var comparison, amount string
		var found tier
		if err := unmarshalAll(parts[:], &comparison, &found.threshold, &amount); err != nil {
			return err
		}
		if found.price, ok = parseDecimal(amount); !ok {
			return fmt.Errorf("no price of a tier: %s", amount)
		}
		found.inclusive = comparison == ">="
		m.tiers = append(m.tiers, found)
	}
	return nil
}

func unmarshalAll(parts []json.RawMessage, into ...any) error {
	for i, target := range into {
		if i >= len(parts) {
			return fmt.Errorf("%d values, expected %d", len(parts), len(into))
		}
		if err := json.Unmarshal(parts[i], target); err != nil {
			return err
		}
	}
	return nil
}

// at is the price when so many tokens went in.
func (m *meter) at(input *big.Rat) *big.Rat {
	price := m.price
	for _, step := range m.tiers {
		order := input.Cmp(new(big.Rat).SetInt64(step.threshold))
		if order > 0 || (order == 0 && step.inclusive) {
			price = step.price
		}
	}
	return price
}

func readDocument(text []byte) (*document, error) {
	read := &document{}
	if err := json.Unmarshal(text, read); err != nil {
		return nil, fmt.Errorf("price data: %w", err)
	}
	for name, facts := range read.Providers {
		if err := facts.prepare(); err != nil {
			return nil, fmt.Errorf("price data of %s: %w", name, err)
		}
	}
	return read, nil
}

func (p *provider) prepare() error {
	for _, parts := range p.Fees {
		var found fee
		var price string
		if err := unmarshalAll(parts, &found.models, &found.meter, &price, &found.price.per); err != nil {
			return err
		}
		exact, ok := parseDecimal(price)
		if !ok {
			return fmt.Errorf("no price of a fee: %s", price)
		}
		found.price.price = exact
		p.fees = append(p.fees, found)
	}
	for _, each := range p.Models {
		if err := each.prepare(); err != nil {
			return fmt.Errorf("model %s: %w", each.ID, err)
		}
	}
	return nil
}

func (r *row) prepare() error {
	r.lowerID, r.tuned = strings.ToLower(r.ID), strings.HasPrefix(r.ID, "ft:")
	var err error
	if r.fits, err = clause(r.Match); err != nil {
		return err
	}
	lists := slices.Clone(r.Prices)
	for _, each := range r.Variants {
		lists = append(lists, &each.priceList)
	}
	for _, list := range lists {
		if list.When != nil && list.When.Timezone != "" {
			if list.When.zone, err = time.LoadLocation(list.When.Timezone); err != nil {
				return err
			}
		}
	}
	return nil
}

// clause compiles {"starts_with": "..."} and the like to a test of a name in lower case.
func clause(text json.RawMessage) (func(string) bool, error) {
	var one map[string]json.RawMessage
	if err := json.Unmarshal(text, &one); err != nil || len(one) != 1 {
		return nil, fmt.Errorf("no clause: %s", text)
	}
	for kind, value := range one {
		if kind == "or" || kind == "and" {
			return clauses(value, kind == "or")
		}
		if kind == "not" {
			fits, err := clause(value)
			return func(name string) bool { return !fits(name) }, err
		}
		var wanted string
		if err := json.Unmarshal(value, &wanted); err != nil {
			return nil, err
		}
		return test(kind, wanted)
	}
	return nil, nil
}

func clauses(text json.RawMessage, anyOf bool) (func(string) bool, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return nil, err
	}
	tests := make([]func(string) bool, 0, len(parts))
	for _, part := range parts {
		compiled, err := clause(part)
		if err != nil {
			return nil, err
		}
		tests = append(tests, compiled)
	}
	return func(name string) bool {
		for _, fits := range tests {
			if fits(name) == anyOf {
				return anyOf
			}
		}
		return !anyOf
	}, nil
}

func test(kind, wanted string) (func(string) bool, error) {
	lower := strings.ToLower(wanted)
	switch kind {
	case "equals":
		return func(name string) bool { return name == lower }, nil
	case "starts_with":
		return func(name string) bool { return strings.HasPrefix(name, lower) }, nil
	case "ends_with":
		return func(name string) bool { return strings.HasSuffix(name, lower) }, nil
	case "contains":
		return func(name string) bool { return strings.Contains(name, lower) }, nil
	case "regex":
		pattern, err := regexp.Compile("(?i)" + wanted)
		if err != nil {
			return nil, err
		}
		return pattern.MatchString, nil
	}
	return nil, fmt.Errorf("unknown clause %q", kind)
}

var published = regexp.MustCompile(`^(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/`)

// normalised is a model id without what gateways and clouds put around it; in lower case.
func normalised(model string) string {
	name := strings.ToLower(strings.TrimSpace(model))
	if strings.HasPrefix(name, "arn:") && !strings.Contains(name, "application-inference-profile") {
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	if strings.Contains(name, "publishers/") {
		name = name[len(published.FindString(name)):]
	}
	name = strings.TrimPrefix(name, "models/")
	if !strings.Contains(name, "@") {
		return name
	}
	letters := []byte(name)
	for i := 0; i+1 < len(letters); i++ {
		if letters[i] == '@' && letters[i+1] >= '0' && letters[i+1] <= '9' {
			letters[i] = '-'
		}
	}
	return string(letters)
}

// find is the row for a model: the one of that id, else the first whose clause fits. Never a similar one.
func (p *provider) find(model, owner string) *row {
	name := normalised(model)
	candidates := []string{name}
	if vendor, bare, found := strings.Cut(name, "/"); found && strings.HasPrefix(owner, vendor) {
		candidates = append(candidates, bare)
	}
	tuned := strings.HasPrefix(name, "ft:")
	for _, candidate := range candidates {
		for _, each := range p.Models {
			if each.tuned == tuned && each.lowerID == candidate {
				return each
			}
		}
		for _, each := range p.Models {
			if each.tuned == tuned && each.fits(candidate) {
				return each
			}
		}
	}
	return nil
}

// inForce are the meters of the last price whose condition holds.
func (r *row) inForce(at time.Time) map[string]meter {
	for _, list := range slices.Backward(r.Prices) {
		if list.When.holds(at) {
			return list.Meters
		}
	}
	return r.Prices[0].Meters // older than the oldest row: the oldest is all that is known
}

// variant are the meters a tier has of its own; nil if the row knows no such tier.
func (r *row) variant(tier string, at time.Time) map[string]meter {
	var oldest map[string]meter
	for _, each := range r.Variants {
		if !each.isFor(tier) {
			continue
		}
		if each.When.holds(at) {
			return each.Meters
		}
		oldest = each.Meters
	}
	return oldest // before it was first recorded
}

func (v *variant) isFor(tier string) bool {
	for _, value := range v.For {
		if value == tier {
			return true
		}
	}
	return false
}

func (c *condition) holds(at time.Time) bool {
	if c == nil {
		return true
	}
	moment := at.UTC()
	if c.From != "" && moment.Format(time.DateOnly) < c.From {
		return false
	}
	if c.Weekdays != nil && c.zone != nil && !slices.Contains(c.Weekdays, (int(at.In(c.zone).Weekday())+6)%7) {
		return false
	}
	if len(c.Hours) == 2 {
		start, end, clock := c.Hours[0], c.Hours[1], moment.Format("15:04")
		if start <= end {
			return start <= clock && clock < end
		}
		return clock >= start || clock < end
	}
	return true
}
