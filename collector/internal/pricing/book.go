// Package pricing turns disjoint usage into exact money: the same algorithm, over the same bytes, as genops.core.pricing.
//
// Find the row, take the price in force at the time of the request, lay tier variants and region factors over it,
// multiply, add. Source: spec/prices/README.md; vectors in spec/vectors/cost.
package pricing

import (
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/genops-ai/genops/collector/internal/data"
	"github.com/genops-ai/genops/collector/internal/globs"
)

// The statuses of a price. Unknown is never zero: an unpriced call has no amount.
const (
	Priced           = "priced"
	Partial          = "partial"
	Estimated        = "estimated"
	ProviderReported = "provider_reported"
	Free             = "free"
	Unpriced         = "unpriced"
)

// The layers that an amount may come from.
const (
	List     = "list"
	Contract = "contract"
	Provider = "provider"
)

const (
	mostResolved = 4096
	outOfRange   = "the amount is out of range"
)

// Query is what besides usage decides a price. Models and tiers are in the provider's words.
type Query struct {
	Provider       string
	At             time.Time
	RequestModel   string
	ResponseModel  string
	ServiceTier    string
	Processing     string // batch
	Region         string
	DeploymentType string
	Reported       Quantity // the provider's own charge
	IsReported     bool
}

// Line is one meter of one call.
type Line struct {
	Meter      string
	Quantity   Quantity
	UnitPrice  *big.Rat
	Per        int64
	Multiplier *big.Rat
	Amount     *big.Rat // exact
}

// Price is what a call cost; with the status Unpriced there is no amount, and Reason says why.
type Price struct {
	Amount  Amount
	List    Amount
	HasList bool
	Status  string
	Source  string
	Model   string // the row of the price book
	Version string // of the price data
	Reason  string
	Missing []string // meters with usage and no price
	Lines   []Line
}

// Currency is that of all list prices.
const Currency = "USD"

// Book prices usage at the list price in force, with the user's rates over it. It is safe for concurrent use.
type Book struct {
	document *document
	rates    Rates

	mu       sync.RWMutex
	resolved map[key]*resolved
}

type key struct {
	provider, response, request, tier, processing, region, deployment string
	minute                                                            int64
}

var bundled = sync.OnceValues(func() (*document, error) { return readDocument(data.Prices) })

// New is a book of the prices this build ships, with rates over them.
func New(rates Rates) (*Book, error) {
	document, err := bundled()
	if err != nil {
		return nil, err
	}
	return &Book{document: document, rates: rates, resolved: map[key]*resolved{}}, nil
}

// Version is that of the price data.
func (b *Book) Version() string { return b.document.Version }

// Price is what usage cost, exact to 12 places, in USD. A model without a price is Unpriced, never a guess.
func (b *Book) Price(usage *Usage, query *Query) Price {
	found := b.resolve(query)
	price, ok := b.plain(usage, found)
	if !ok {
		price = b.Explain(usage, query)
		price.Lines = nil
	}
	return b.reported(price, query)
}

// Explain is Price with the lines that make it up.
func (b *Book) Explain(usage *Usage, query *Query) Price {
	return b.reported(b.general(usage, b.resolve(query)), query)
}

func (b *Book) reported(price Price, query *Query) Price {
	if !query.IsReported || price.Status == ProviderReported {
		return price
	}
	amount, ok := rounded(query.Reported.rat())
	if !ok {
		return b.unpriced(outOfRange)
	}
	if price.Status == Unpriced {
		price.HasList = false
	}
	price.Amount, price.Status, price.Source, price.Reason, price.Missing = amount, ProviderReported, Provider, "", nil
	return price
}

func (b *Book) unpriced(reason string) Price {
	return Price{Status: Unpriced, Reason: reason, Version: b.Version()}
}

func (b *Book) resolve(query *Query) *resolved {
	sought := key{
		query.Provider, query.ResponseModel, query.RequestModel, query.ServiceTier, query.Processing, query.Region,
		query.DeploymentType, floorMinutes(query.At),
	}
	b.mu.RLock()
	found := b.resolved[sought]
	b.mu.RUnlock()
	if found != nil {
		return found
	}
	found = b.resolveAnew(query)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.resolved) >= mostResolved {
		clear(b.resolved)
	}
	b.resolved[sought.own()] = found
	return found
}

// own is the key with texts of its own: those of a span are parts of a whole batch, which would be kept with them.
func (k key) own() key {
	for _, text := range []*string{&k.provider, &k.response, &k.request, &k.tier, &k.processing, &k.region, &k.deployment} {
		*text = strings.Clone(*text)
	}
	return k
}

// No price changes within a minute.
func floorMinutes(at time.Time) int64 {
	seconds := at.Unix()
	if rest := seconds % 60; rest < 0 {
		return (seconds - rest - 60) / 60
	}
	return seconds / 60
}

func (b *Book) free(query *Query, alias *Alias, models []string, day string) bool {
	if (alias != nil && provisioned(alias.DeploymentType)) || provisioned(query.DeploymentType) {
		return true
	}
	for _, scopes := range [][]scope{b.rates.free, b.rates.provisioned} {
		for i := range scopes {
			if scopes[i].covers(query.Provider, models, day) {
				return true
			}
		}
	}
	facts := b.document.Providers[query.Provider]
	if facts == nil {
		return false
	}
	for _, model := range models {
		for _, pattern := range facts.Free {
			if globs.Match(pattern, model) {
				return true
			}
		}
	}
	return false
}

func provisioned(deployment string) bool {
	return strings.HasPrefix(deployment, "provisioned") || strings.HasPrefix(deployment, "ptu")
}

// find is the row of the first model that is known: at the provider, then at those whose models it resells.
func (b *Book) find(name string, models []string) (*row, string) {
	owners := []string{name}
	if facts := b.document.Providers[name]; facts != nil {
		owners = append(owners, facts.Fallback...)
	}
	for _, model := range models {
		for _, owner := range owners {
			if facts := b.document.Providers[owner]; facts != nil {
				if found := facts.find(model, owner); found != nil {
					return found, owner
				}
			}
		}
	}
	return nil, ""
}
