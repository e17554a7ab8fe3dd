package pricing

import (
	"bytes"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

const (
	picoPerUnit = 1_000_000_000_000 // an amount has 12 places
	nanoPerPico = 1_000
)

// Amount is money, never negative: a whole number of 1e-12 units of the currency, in 128 bits.
type Amount struct{ hi, lo uint64 }

// IsZero is whether the amount is nothing.
func (a Amount) IsZero() bool { return a.hi == 0 && a.lo == 0 }

// Cmp is -1, 0 or 1, as a is less than b, equal, or more.
func (a Amount) Cmp(b Amount) int {
	switch {
	case a == b:
		return 0
	case a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo):
		return -1
	}
	return 1
}

// Add is the sum; what does not fit in 128 bits stays at the most that does.
func (a Amount) Add(b Amount) Amount {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, over := bits.Add64(a.hi, b.hi, carry)
	if over != 0 {
		return Amount{^uint64(0), ^uint64(0)}
	}
	return Amount{hi, lo}
}

// Nanos is the amount in 1e-9 units, rounded up; false if that does not fit.
func (a Amount) Nanos() (int64, bool) {
	if a.hi >= nanoPerPico {
		return 0, false
	}
	nanos, rest := bits.Div64(a.hi, a.lo, nanoPerPico)
	if rest > 0 {
		nanos++
	}
	return int64(nanos), nanos>>63 == 0
}

// Float is the double that is nearest to the amount.
func (a Amount) Float() float64 {
	if a.hi == 0 && a.lo < 1<<53 {
		return float64(a.lo) / picoPerUnit // two exact doubles: the quotient is the nearest one
	}
	nearest, _ := strconv.ParseFloat(a.String(), 64)
	return nearest
}

// String is the amount as a plain decimal without trailing zeros: 0.0098125.
func (a Amount) String() string { return string(a.Append(nil)) }

// Append appends the amount as String has it.
func (a Amount) Append(into []byte) []byte {
	rest := a.lo % picoPerUnit
	if a.hi == 0 {
		into = strconv.AppendUint(into, a.lo/picoPerUnit, 10)
	} else {
		quotient, remainder := new(big.Int).QuoRem(a.big(), big.NewInt(picoPerUnit), new(big.Int))
		into, rest = quotient.Append(into, 10), remainder.Uint64()
	}
	if rest == 0 {
		return into
	}
	point := len(into)
	into = strconv.AppendUint(into, picoPerUnit+rest, 10) // a digit 1, and the places behind it
	into[point] = '.'
	return bytes.TrimRight(into, "0")
}

func (a Amount) big() *big.Int {
	found := new(big.Int).SetUint64(a.hi)
	return found.Or(found.Lsh(found, 64), new(big.Int).SetUint64(a.lo))
}

// ParseAmount reads a plain decimal with at most 12 places, as ledger entries have it.
func ParseAmount(text string) (Amount, bool) {
	if found, ok := shortAmount(text); ok {
		return found, true
	}
	return longAmount(text)
}

func longAmount(text string) (Amount, bool) {
	exact, ok := parseDecimal(text)
	if !ok {
		return Amount{}, false
	}
	scaled := new(big.Rat).Mul(exact, picos)
	if !scaled.IsInt() {
		return Amount{}, false
	}
	return fromBig(scaled.Num())
}

// shortAmount reads what most amounts are, digits that fit in 64 bits with a point between; false for the rest.
func shortAmount(text string) (Amount, bool) {
	const most = 19 // digits of any 64 bits
	if len(text) == 0 || len(text) > most+1 {
		return Amount{}, false
	}
	digits, point := uint64(0), -1
	for i := range len(text) {
		switch digit := text[i] - '0'; {
		case digit <= 9:
			digits = digits*10 + uint64(digit)
		case text[i] != '.' || point >= 0:
			return Amount{}, false
		default:
			point = i
		}
	}
	places := 0
	switch {
	case point >= 0:
		places = len(text) - 1 - point
	case len(text) > most:
		return Amount{}, false
	}
	if places >= len(powers) || len(text) == 1 && point == 0 {
		return Amount{}, false
	}
	hi, lo := bits.Mul64(digits, powers[len(powers)-1-places])
	return Amount{hi, lo}, true
}

// powers of ten, up to those of an amount's places.
var powers = [...]uint64{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
	10_000_000_000, 100_000_000_000, picoPerUnit}

// FromFloat is the amount of at most 12 places that is nearest to a double; false for what is no amount of money.
func FromFloat(value float64) (Amount, bool) {
	exact := new(big.Rat)
	if value < 0 || exact.SetFloat64(value) == nil {
		return Amount{}, false
	}
	return rounded(exact)
}

var (
	picos    = new(big.Rat).SetInt64(picoPerUnit)
	twice    = big.NewInt(2)
	unitBits = big.NewInt(1)
)

// rounded is an exact value at 12 places, halves to the even side; false if it does not fit or is negative.
func rounded(exact *big.Rat) (Amount, bool) {
	scaled := new(big.Rat).Mul(exact, picos)
	if scaled.IsInt() {
		return fromBig(scaled.Num())
	}
	quotient, rest := new(big.Int).QuoRem(scaled.Num(), scaled.Denom(), new(big.Int))
	switch rest.Mul(rest, twice).Cmp(scaled.Denom()) {
	case 1:
		quotient.Add(quotient, unitBits)
	case 0:
		quotient.Add(quotient, new(big.Int).And(quotient, unitBits))
	}
	return fromBig(quotient)
}

func fromBig(whole *big.Int) (Amount, bool) {
	if whole.Sign() < 0 || whole.BitLen() > 128 {
		return Amount{}, false
	}
	low := new(big.Int).And(whole, new(big.Int).SetUint64(^uint64(0)))
	return Amount{new(big.Int).Rsh(whole, 64).Uint64(), low.Uint64()}, true
}

// parseDecimal reads a plain decimal: digits, one point, a sign. No exponent, so no text makes a number of a gigabyte.
func parseDecimal(text string) (*big.Rat, bool) {
	if len(text) == 0 || len(text) > 100 || strings.Trim(text, "+-.0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}
