package pricing

import (
	"math/big"
	"math/bits"
	"strings"
)

const picoInAtto = 1_000_000

// plain is the cost of usage of which every meter has one list price, as most have; false for any other.
func (b *Book) plain(usage *Usage, found *resolved) (Price, bool) {
	if len(found.plain) == 0 {
		return Price{}, false
	}
	input, ok := wholeInput(usage)
	if !ok {
		return Price{}, false
	}
	var hi, lo uint64
	for i := range usage.Meters {
		used := &usage.Meters[i]
		price, ok := found.plain[used.Meter]
		if !ok {
			return Price{}, false
		}
		high, low := bits.Mul64(uint64(used.Quantity.whole), price.at(input))
		var carry uint64
		lo, carry = bits.Add64(lo, low, 0)
		if hi, carry = bits.Add64(hi, high, carry); carry != 0 {
			return Price{}, false
		}
	}
	amount := halfEven(hi, lo)
	status := Priced
	if usage.Estimated {
		status = Estimated
	}
	return Price{
		Amount: amount, List: amount, HasList: true, Status: status, Source: List, Model: found.model,
		Version: b.document.Version,
	}, true
}

// wholeInput is the sum of all input tokens; false if some quantity is no whole number, or the sum is too large.
func wholeInput(usage *Usage) (int64, bool) {
	var total int64
	for i := range usage.Meters {
		used := &usage.Meters[i]
		if used.Quantity.exact != nil || used.Quantity.whole < 0 {
			return 0, false
		}
		if inputMeters[used.Meter] {
			if total += used.Quantity.whole; total < 0 {
				return 0, false
			}
		}
	}
	return total, true
}

func (p *plainPrice) at(input int64) uint64 {
	price := p.price
	for _, step := range p.tiers {
		if input >= step.least {
			price = step.price
		}
	}
	return price
}

// halfEven is 128 bits of 1e-18 units in 1e-12 units.
func halfEven(hi, lo uint64) Amount {
	high, rest := hi/picoInAtto, hi%picoInAtto
	low, rest := bits.Div64(rest, lo, picoInAtto)
	if rest > picoInAtto/2 || (rest == picoInAtto/2 && low&1 == 1) {
		var carry uint64
		low, carry = bits.Add64(low, 1, 0)
		high += carry
	}
	return Amount{high, low}
}

// general is the cost of any usage, line by line.
func (b *Book) general(usage *Usage, found *resolved) Price {
	if found.free {
		return Price{HasList: true, Status: Free, Source: List, Model: found.model, Version: b.Version()}
	}
	if found.reason != "" && len(found.custom) == 0 {
		return b.unpriced(found.reason)
	}
	sums := b.lines(usage, found)
	if len(sums.missing) > 0 && len(sums.lines) == 0 {
		return b.unpriced("no price for " + strings.Join(sums.missing, ", ") + " of " + found.model)
	}
	price := Price{
		HasList: found.reason == "", Status: Priced, Source: List, Model: found.model, Version: b.Version(),
		Missing: sums.missing, Lines: sums.lines,
	}
	if len(found.custom) > 0 || found.discount.Cmp(one) != 0 {
		price.Source = Contract
	}
	if len(sums.missing) > 0 {
		price.Status = Partial
	}
	if usage.Estimated {
		price.Status = Estimated
	}
	var fits, listFits bool
	price.Amount, fits = rounded(sums.amount.Mul(sums.amount, found.discount))
	price.List, listFits = rounded(sums.listed)
	if !fits || !listFits {
		return b.unpriced(outOfRange)
	}
	return price
}

type sums struct {
	lines          []Line
	listed, amount *big.Rat
	missing        []string
}

// lines are those of each meter, their sum at the list price, their sum with the user's rates, and what has no price.
func (b *Book) lines(usage *Usage, found *resolved) sums {
	made := sums{listed: new(big.Rat), amount: new(big.Rat)}
	_, byTheHour := found.custom["compute_seconds"]
	total := new(big.Rat)
	for _, used := range usage.Meters {
		if inputMeters[used.Meter] {
			total.Add(total, used.Quantity.rat())
		}
	}
	for _, used := range usage.Meters {
		custom, hasCustom := found.custom[used.Meter]
		price, hasPrice := found.meters[used.Meter]
		if !hasCustom && !hasPrice {
			if !used.Quantity.IsZero() && used.Meter != "compute_seconds" && (!byTheHour || !isToken(used.Meter)) {
				made.missing = append(made.missing, used.Meter)
			}
			continue
		}
		var line Line
		if hasPrice {
			line = found.line(used, &price, total)
			made.listed.Add(made.listed, line.Amount)
		}
		if hasCustom {
			line = newLine(used, custom.price, custom.per, one)
		}
		made.amount.Add(made.amount, line.Amount)
		made.lines = append(made.lines, line)
	}
	if price, ok := found.meters["requests"]; ok && len(usage.Meters) > 0 {
		if _, stated := usage.Get("requests"); !stated {
			line := found.line(Used{"requests", Whole(1)}, &price, total)
			made.lines = append(made.lines, line)
			made.listed.Add(made.listed, line.Amount)
			made.amount.Add(made.amount, line.Amount)
		}
	}
	return made
}

func (r *resolved) line(used Used, price *meter, total *big.Rat) Line {
	if least, ok := r.minimum[used.Meter]; ok && used.Quantity.rat().Cmp(new(big.Rat).SetInt64(least)) < 0 {
		used.Quantity = Whole(least)
	}
	factor := one
	if isToken(used.Meter) {
		factor = r.factor
	}
	return newLine(used, price.at(total), price.per, factor)
}

func newLine(used Used, price *big.Rat, per int64, factor *big.Rat) Line {
	amount := new(big.Rat).Mul(price, used.Quantity.rat())
	amount.Mul(amount, factor)
	amount.Quo(amount, new(big.Rat).SetInt64(per))
	return Line{used.Meter, used.Quantity, price, per, factor, amount}
}

// plain is an exact value as a plain decimal, at 12 places if it has no end.
func plain(exact *big.Rat) string {
	if exact.IsInt() {
		return exact.Num().String()
	}
	return strings.TrimRight(strings.TrimRight(exact.FloatString(12), "0"), ".")
}
