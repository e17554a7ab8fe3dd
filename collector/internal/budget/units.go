package budget

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/genops-ai/genops/collector/internal/pricing"
)

// The units that are no currency.
const (
	Tokens         = "tokens"
	Requests       = "requests"
	ComputeSeconds = "compute_seconds"
	Concurrent     = "concurrent" // calls in flight: reserved by each call, settled as nothing
)

// Largest is the most that one counter holds: Redis scripts compare doubles, which are exact below 2^53.
const Largest int64 = 1<<53 - 1

const moneyPlaces = 9

var (
	units    = []string{"USD", Tokens, Requests, ComputeSeconds, Concurrent}
	currency = regexp.MustCompile(`^[A-Z]{3}$`)
	decimal  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	largest  = big.NewInt(Largest)
)

func placesOf(unit string) int {
	switch unit {
	case Tokens, Requests, Concurrent:
		return 0
	case ComputeSeconds:
		return 3
	}
	return moneyPlaces
}

// IsMoney is whether a unit is a currency.
func IsMoney(unit string) bool {
	switch unit {
	case Tokens, Requests, ComputeSeconds, Concurrent:
		return false
	}
	return true
}

func isUnit(unit string) bool { return !IsMoney(unit) || currency.MatchString(unit) }

func scaleOf(unit string) int64 {
	scale := int64(1)
	for range placesOf(unit) {
		scale *= 10
	}
	return scale
}

// Counted is a plain decimal in whole counted units, rounded up: nano-USD for USD.
func Counted(amount, unit string) (int64, error) {
	if len(amount) > 60 || !decimal.MatchString(amount) {
		return 0, fmt.Errorf("%s %s is no amount.  fix: give a plain decimal of 0 or more: \"0.25\"", shortened(amount), unit)
	}
	exact, _ := new(big.Rat).SetString(amount)
	exact.Mul(exact, new(big.Rat).SetInt64(scaleOf(unit)))
	whole, rest := new(big.Int).QuoRem(exact.Num(), exact.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	if whole.Cmp(largest) > 0 {
		return 0, fmt.Errorf("%s %s is more than one counter holds exactly (%s %s).  "+
			"fix: give the budget a shorter window, or split it with group_by", amount, unit, AmountOf(Largest, unit), unit)
	}
	return whole.Int64(), nil
}

func shortened(text string) string {
	if len(text) > 60 {
		text = text[:60] + "..."
	}
	return strconv.Quote(text)
}

// CountedMoney is exact money in nano-units, rounded up; false for more than one counter holds.
func CountedMoney(amount pricing.Amount) (int64, bool) {
	nanos, ok := amount.Nanos()
	return nanos, ok && nanos <= Largest
}

// AmountOf is what a counter's number stands for, in the unit, as a plain decimal. Exact.
func AmountOf(counted int64, unit string) string {
	sign := ""
	if counted < 0 {
		sign, counted = "-", -counted
	}
	places := placesOf(unit)
	if places == 0 {
		return sign + strconv.FormatInt(counted, 10)
	}
	scale := scaleOf(unit)
	text := strconv.FormatInt(counted/scale, 10)
	if rest := counted % scale; rest != 0 {
		text += "." + strings.TrimRight(strconv.FormatInt(scale+rest, 10)[1:], "0")
	}
	return sign + text
}

// FloatOf is the double nearest to what a counter's number stands for.
func FloatOf(counted int64, unit string) float64 {
	return float64(counted) / float64(scaleOf(unit)) // two exact doubles: the quotient is the nearest one
}

// Nanos is a plain decimal of money in nano-units, rounded up, without making a number of any size of it; false for what
// is none, is below 0, or is more than one counter holds.
func Nanos(text string) (int64, bool) {
	whole, places, seen, up := int64(0), -1, false, false
	for i := range len(text) {
		char := text[i]
		switch {
		case char == '.' && places < 0:
			places = 0
		case char < '0' || char > '9':
			return 0, false
		case places == moneyPlaces:
			up = up || char != '0'
		default:
			seen = true
			if places >= 0 {
				places++
			}
			if whole = whole*10 + int64(char-'0'); whole > Largest {
				return 0, false
			}
		}
	}
	for places = max(places, 0); places < moneyPlaces; places++ {
		if whole *= 10; whole > Largest {
			return 0, false
		}
	}
	if up {
		whole++
	}
	return whole, seen && whole <= Largest
}
