package pricing

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genops-ai/genops/collector/internal/globs"
	"github.com/genops-ai/genops/collector/internal/suggest"
)

// Rates are what a user pays instead of the list price: aliases, rates of their own, discounts, free models. The zero
// value is the list price. Source: the keys of the same names of spec/schema/genops.schema.json.
type Rates struct {
	aliases     map[string]Alias
	custom      []customRate
	discounts   []discount
	free        []scope
	provisioned []scope
}

// Alias is what a name of the user's stands for: a deployment, an inference profile.
type Alias struct {
	Model          string
	DeploymentType string
}

// scope is where and when a rate holds: globs over provider and model, dates inclusive from and exclusive to.
type scope struct {
	provider, model, since, until string
}

type customRate struct {
	scope
	meters []string
	price  *big.Rat
	per    int64
}

type discount struct {
	scope
	paid *big.Rat // the share that is left to pay
}

func (s *scope) covers(provider string, models []string, day string) bool {
	if !globs.Match(s.provider, provider) || (s.since != "" && day < s.since) || (s.until != "" && day >= s.until) {
		return false
	}
	if s.model == "*" {
		return true
	}
	wanted := strings.ToLower(s.model)
	return slices.ContainsFunc(models, func(model string) bool { return globs.Match(wanted, strings.ToLower(model)) })
}

func (r *Rates) alias(provider, model string) *Alias {
	if model == "" || len(r.aliases) == 0 {
		return nil
	}
	if found, ok := r.aliases[provider+"/"+model]; ok {
		return &found
	}
	return nil
}

var rateKeys = []string{"model_aliases", "custom_rates", "discounts", "free", "provisioned", "currency"}

// ParseRates reads what genops.yaml says under `prices`. The error names the entry and what to write.
func ParseRates(given map[string]any) (Rates, error) {
	var rates Rates
	for name := range given {
		if !slices.Contains(rateKeys, name) {
			return rates, fmt.Errorf("unknown key '%s' among the prices.%s", name, suggest.DidYouMean(name, rateKeys))
		}
	}
	var err error
	if rates.aliases, err = aliases(given["model_aliases"]); err != nil {
		return rates, err
	}
	if rates.custom, err = each(given, "custom_rates", custom); err != nil {
		return rates, err
	}
	if rates.discounts, err = each(given, "discounts", percentOff); err != nil {
		return rates, err
	}
	if rates.free, err = each(given, "free", named("free")); err != nil {
		return rates, err
	}
	rates.provisioned, err = each(given, "provisioned", named("provisioned"))
	return rates, err
}

func each[T any](given map[string]any, name string, read func(any) (T, error)) ([]T, error) {
	if given[name] == nil {
		return nil, nil
	}
	entries, ok := given[name].([]any)
	if !ok {
		return nil, fmt.Errorf("%s: expected a list, got %v", name, given[name])
	}
	found := make([]T, 0, len(entries))
	for _, entry := range entries {
		value, err := read(entry)
		if err != nil {
			return nil, err
		}
		found = append(found, value)
	}
	return found, nil
}

func aliases(given any) (map[string]Alias, error) {
	if given == nil {
		return nil, nil
	}
	entries, ok := given.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("model_aliases: expected a mapping, got %v", given)
	}
	found := make(map[string]Alias, len(entries))
	for name, value := range entries {
		if model, ok := value.(string); ok {
			value = map[string]any{"model": model}
		}
		facts, _ := value.(map[string]any)
		model, ok := facts["model"].(string)
		if !ok || !strings.Contains(name, "/") {
			return nil, fmt.Errorf("model_aliases: '%s' is not understood.  "+
				"fix: write it as  azure.ai.openai/my-deployment: {model: gpt-4o-2024-11-20}", name)
		}
		if err := refuseUnknown("model_aliases", facts, "model", "deployment_type"); err != nil {
			return nil, err
		}
		deployment, _ := facts["deployment_type"].(string)
		found[name] = Alias{model, deployment}
	}
	return found, nil
}

func custom(entry any) (customRate, error) {
	var rate customRate
	facts, err := rate.read("custom_rates", entry, "unit", "usd")
	if err != nil {
		return rate, err
	}
	if rate.meters, rate.per, err = unit(fmt.Sprint(facts["unit"])); err != nil {
		return rate, err
	}
	rate.price, err = amount("custom_rates", "usd", facts["usd"])
	return rate, err
}

var tokenMeters = []string{
	"input", "input_audio", "input_image", "input_video", "cache_read", "cache_read_audio", "cache_read_image",
	"cache_read_video", "cache_write", "cache_write_1h", "cache_write_12h", "output", "output_audio", "output_image",
	"output_video",
}

func unit(name string) ([]string, int64, error) {
	switch name {
	case "resource_unit_1k_tokens", "1k_tokens":
		return tokenMeters, 1000, nil
	case "1m_tokens":
		return tokenMeters, 1_000_000, nil
	case "compute_hour":
		return []string{"compute_seconds"}, 3600, nil
	}
	for _, suffix := range []struct {
		text string
		per  int64
	}{{"_1m_tokens", 1_000_000}, {"_1k_tokens", 1000}, {"_per_million", 1_000_000}, {"", 1}} {
		if meter, found := strings.CutSuffix(name, suffix.text); found && IsMeter(meter) {
			return []string{meter}, suffix.per, nil
		}
	}
	return nil, 0, fmt.Errorf("custom_rates: unknown unit '%s'.  "+
		"fix: use compute_hour, 1m_tokens, input_1m_tokens, output_1m_tokens, cache_read_1m_tokens, requests or another meter", name)
}

func percentOff(entry any) (discount, error) {
	var found discount
	facts, err := found.read("discounts", entry, "percent")
	if err != nil {
		return found, err
	}
	percent, err := amount("discounts", "percent", facts["percent"])
	if err != nil {
		return found, err
	}
	hundred := new(big.Rat).SetInt64(100)
	if percent.Cmp(hundred) > 0 {
		return found, fmt.Errorf("discounts: percent is %s.  fix: give a percentage from 0 to 100", plain(percent))
	}
	found.paid = new(big.Rat).Quo(new(big.Rat).Sub(hundred, percent), hundred)
	return found, nil
}

func named(where string) func(any) (scope, error) {
	return func(entry any) (scope, error) {
		if text, ok := entry.(string); ok {
			provider, model, found := strings.Cut(text, "/")
			if !found {
				provider, model = "*", text
			}
			return scope{provider: provider, model: model}, nil
		}
		var found scope
		_, err := found.read(where, entry)
		return found, err
	}
}

// read fills the scope from an entry and returns the entry.
func (s *scope) read(where string, entry any, others ...string) (map[string]any, error) {
	facts, ok := entry.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: %v is not an entry.  fix: write it as  {provider: ..., model: ...}", where, entry)
	}
	if err := refuseUnknown(where, facts, append([]string{"provider", "model", "from", "to"}, others...)...); err != nil {
		return nil, err
	}
	s.provider, s.model = "*", "*"
	if value, ok := facts["provider"]; ok {
		s.provider = fmt.Sprint(value)
	}
	if value, ok := facts["model"]; ok {
		s.model = fmt.Sprint(value)
	}
	var err error
	if s.since, err = day(where, facts["from"]); err != nil {
		return nil, err
	}
	s.until, err = day(where, facts["to"])
	return facts, err
}

func refuseUnknown(where string, entry map[string]any, known ...string) error {
	for name := range entry {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s: unknown key '%s'.%s  fix: use %s", where, name, suggest.DidYouMean(name, known),
				strings.Join(known, ", "))
		}
	}
	return nil
}

// day is a date as YYYY-MM-DD, "" for none. YAML reads an unquoted date as a time.
func day(where string, value any) (string, error) {
	switch given := value.(type) {
	case nil:
		return "", nil
	case time.Time:
		return given.Format(time.DateOnly), nil
	case string:
		if _, err := time.Parse(time.DateOnly, given); err == nil {
			return given, nil
		}
	}
	return "", fmt.Errorf("%s: '%v' is no date.  fix: write it as 2026-11-23", where, value)
}

// amount is an exact decimal. A YAML number with a point has been rounded to a double already, so it is refused.
func amount(where, name string, value any) (*big.Rat, error) {
	text := ""
	switch given := value.(type) {
	case string:
		text = given
	case int:
		text = strconv.Itoa(given)
	case int64:
		text = strconv.FormatInt(given, 10)
	}
	found, ok := parseDecimal(text)
	if !ok || found.Sign() < 0 {
		return nil, fmt.Errorf("%s: %s is %v, expected an exact amount.  fix: %s: \"0.25\"", where, name, value, name)
	}
	return found, nil
}
