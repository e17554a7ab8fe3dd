package pricing

import (
	"math/big"
	"time"

	"github.com/genops-ai/genops/collector/internal/globs"
)

// resolved is a row with everything but the usage applied to it.
type resolved struct {
	model    string
	meters   map[string]meter
	factor   *big.Rat
	minimum  map[string]int64
	custom   map[string]customPrice
	discount *big.Rat // the share that is paid
	free     bool
	reason   string                // why there is no price
	plain    map[string]plainPrice // for the quick way; of meters without a minimum
}

// plainPrice is the price of one, in 1e-18 units, and what it is from so many input tokens on.
type plainPrice struct {
	price uint64
	tiers []plainTier
}

type plainTier struct {
	least int64
	price uint64
}

type customPrice struct {
	price *big.Rat
	per   int64
}

var one = new(big.Rat).SetInt64(1)

// Tiers that are the list price.
var standard = set("", "default", "standard", "auto", "on_demand", "standard_only", "scale")

// Without a price of its own, a meter is billed as the next one here that has one. Never across lifetimes.
var fallbacks = map[string][]string{
	"input_audio":      {"input"},
	"input_image":      {"input"},
	"input_video":      {"input"},
	"cache_read":       {"input"},
	"cache_read_audio": {"cache_read", "input"},
	"cache_read_image": {"cache_read", "input"},
	"cache_read_video": {"cache_read", "input"},
	"cache_write":      {"input"},
	"output_audio":     {"output"},
	"output_image":     {"output"},
	"output_video":     {"output"},
	"pages_annotated":  {"pages"},
}

// The order in which they are filled in: cache_read before those that fall back on it.
var fallbackOrder = []string{
	"input_audio", "input_image", "input_video", "cache_read", "cache_read_audio", "cache_read_image",
	"cache_read_video", "cache_write", "output_audio", "output_image", "output_video", "pages_annotated",
}

func (b *Book) resolveAnew(query *Query) *resolved {
	alias := b.rates.alias(query.Provider, query.RequestModel)
	if alias == nil {
		alias = b.rates.alias(query.Provider, query.ResponseModel)
	}
	named := ""
	if alias != nil {
		named = alias.Model
	}
	models := distinct(query.ResponseModel, named, query.RequestModel)
	day := query.At.UTC().Format(time.DateOnly)
	found := &resolved{factor: one, discount: one}
	b.applyContract(found, query.Provider, models, day)
	if len(found.custom) == 0 && b.free(query, alias, models, day) {
		found.free, found.model = true, firstOf(named, query.RequestModel)
		return found
	}
	row, owner := b.find(query.Provider, models)
	if row == nil {
		found.model = firstOf(query.RequestModel, query.ResponseModel)
		found.reason = "the request names no model"
		if found.model != "" {
			found.reason = "no price for " + found.model
		}
		return found
	}
	b.applyRow(found, row, owner, query, alias)
	return found
}

func (b *Book) applyContract(found *resolved, provider string, models []string, day string) {
	for i := range b.rates.custom {
		rate := &b.rates.custom[i]
		if !rate.covers(provider, models, day) {
			continue
		}
		for _, name := range rate.meters {
			if found.custom == nil {
				found.custom = map[string]customPrice{}
			}
			if _, there := found.custom[name]; !there {
				found.custom[name] = customPrice{rate.price, rate.per}
			}
		}
	}
	for i := range b.rates.discounts {
		if b.rates.discounts[i].covers(provider, models, day) {
			found.discount = b.rates.discounts[i].paid
			return
		}
	}
}

func (b *Book) applyRow(found *resolved, row *row, owner string, query *Query, alias *Alias) {
	facts := b.document.Providers[query.Provider]
	if facts == nil {
		facts = &provider{}
	}
	found.model, found.minimum = row.ID, facts.Minimum
	meters := map[string]meter{}
	for name, price := range row.inForce(query.At) {
		meters[name] = price
	}
	for _, tier := range distinct(query.ServiceTier, query.Processing) {
		if standard[tier] {
			continue
		}
		overlay, factor := row.variant(tier, query.At), facts.factor("tier", tier, row.ID)
		switch {
		case overlay != nil:
			for name, price := range overlay {
				meters[name] = price
			}
		case factor != nil:
			found.factor = new(big.Rat).Mul(found.factor, factor)
		default:
			found.reason = "no price for service tier '" + tier + "' of " + row.ID
		}
	}
	b.addFees(meters, facts, owner, row.ID)
	for _, name := range fallbackOrder {
		fallBack(meters, name)
	}
	found.meters = meters
	deployment := query.DeploymentType
	if deployment == "" && alias != nil {
		deployment = alias.DeploymentType
	}
	for _, pair := range [][2]string{{"region", query.Region}, {"deployment", deployment}} {
		if factor := facts.factor(pair[0], pair[1], row.ID); pair[1] != "" && factor != nil {
			found.factor = new(big.Rat).Mul(found.factor, factor)
		}
	}
	found.plain = plainPrices(found)
}

func (b *Book) addFees(meters map[string]meter, facts *provider, owner, model string) {
	fees := facts.fees
	if other := b.document.Providers[owner]; other != nil && other != facts {
		fees = append(fees[:len(fees):len(fees)], other.fees...)
	}
	for _, each := range fees {
		if _, there := meters[each.meter]; !there && globs.Match(each.models, model) {
			meters[each.meter] = each.price
		}
	}
}

func fallBack(meters map[string]meter, name string) {
	if _, there := meters[name]; there {
		return
	}
	for _, other := range fallbacks[name] {
		if price, ok := meters[other]; ok {
			meters[name] = price
			return
		}
	}
}

func (p *provider) factor(what, value, model string) *big.Rat {
	for _, each := range p.Factors {
		kind, wanted, models := each[0], each[1], each[2]
		if kind != what {
			continue
		}
		fits := globs.Match(wanted, value)
		if wanted != "" && wanted[0] == '!' {
			fits = value != wanted[1:]
		}
		if fits && globs.Match(models, model) {
			found, _ := parseDecimal(each[3])
			return found
		}
	}
	return nil
}

var attos = new(big.Rat).SetInt64(1_000_000_000_000_000_000)

// plainPrices are the prices of one of each meter; none where the user's rates or a fee change the sum.
func plainPrices(found *resolved) map[string]plainPrice {
	_, byRequest := found.meters["requests"]
	if len(found.custom) > 0 || found.discount.Cmp(one) != 0 || found.reason != "" || byRequest {
		return nil
	}
	prices := map[string]plainPrice{}
	for name, price := range found.meters {
		factor := one
		if isToken(name) {
			factor = found.factor
		}
		each, ok := priceOfOne(price.price, price.per, factor)
		plain := plainPrice{price: each}
		for _, step := range price.tiers {
			var whole bool
			tier := plainTier{least: step.threshold + 1}
			if step.inclusive {
				tier.least = step.threshold
			}
			tier.price, whole = priceOfOne(step.price, price.per, factor)
			plain.tiers, ok = append(plain.tiers, tier), ok && whole
		}
		if _, minimum := found.minimum[name]; ok && !minimum {
			prices[name] = plain
		}
	}
	return prices
}

func priceOfOne(price *big.Rat, per int64, factor *big.Rat) (uint64, bool) {
	each := new(big.Rat).Quo(price, new(big.Rat).SetInt64(per))
	each.Mul(each, factor).Mul(each, attos)
	if !each.IsInt() || !each.Num().IsUint64() {
		return 0, false
	}
	return each.Num().Uint64(), true
}

func distinct(names ...string) []string {
	found := make([]string, 0, len(names))
next:
	for _, name := range names {
		for _, other := range found {
			if name == other {
				continue next
			}
		}
		if name != "" {
			found = append(found, name)
		}
	}
	return found
}

func firstOf(names ...string) string {
	for _, name := range names {
		if name != "" {
			return name
		}
	}
	return ""
}
