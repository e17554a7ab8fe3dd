package pricing

import (
	"math/big"
)

// Quantity is how much of one meter was used: a whole number, or an exact decimal (seconds of audio).
type Quantity struct {
	whole int64
	exact *big.Rat // nil for a whole number
}

// Whole is a quantity in whole units.
func Whole(n int64) Quantity { return Quantity{whole: n} }

// Decimal is the quantity that a plain decimal says; false for what is none, or is negative.
func Decimal(text string) (Quantity, bool) {
	exact, ok := parseDecimal(text)
	if !ok || exact.Sign() < 0 {
		return Quantity{}, false
	}
	return ofRat(exact), true
}

func ofRat(exact *big.Rat) Quantity {
	if exact.IsInt() && exact.Num().IsInt64() {
		return Quantity{whole: exact.Num().Int64()}
	}
	return Quantity{exact: exact}
}

func (q Quantity) rat() *big.Rat {
	if q.exact != nil {
		return q.exact
	}
	return new(big.Rat).SetInt64(q.whole)
}

// IsZero is whether nothing was used.
func (q Quantity) IsZero() bool { return q.exact == nil && q.whole == 0 }

// Int is the whole units in it.
func (q Quantity) Int() int64 {
	if q.exact == nil {
		return q.whole
	}
	return new(big.Int).Quo(q.exact.Num(), q.exact.Denom()).Int64()
}

// String is the quantity as a plain decimal.
func (q Quantity) String() string {
	return plain(q.rat())
}

// Used is the quantity of one meter.
type Used struct {
	Meter    string
	Quantity Quantity
}

// Usage is what one call consumed, in disjoint meters, each at most once. An absent meter was not stated.
type Usage struct {
	Meters    []Used
	Reasoning int64 // part of output; -1 if not stated
	Estimated bool
	Flags     []string
}

// NewUsage is an empty usage.
func NewUsage() Usage { return Usage{Reasoning: -1} }

// Get is the quantity of a meter, and whether it was stated.
func (u *Usage) Get(meter string) (Quantity, bool) {
	for i := range u.Meters {
		if u.Meters[i].Meter == meter {
			return u.Meters[i].Quantity, true
		}
	}
	return Quantity{}, false
}

// Set states the quantity of a meter.
func (u *Usage) Set(meter string, quantity Quantity) {
	for i := range u.Meters {
		if u.Meters[i].Meter == meter {
			u.Meters[i].Quantity = quantity
			return
		}
	}
	u.Meters = append(u.Meters, Used{meter, quantity})
}

// Tokens are all tokens that went in and came out; -1 if none were stated.
func (u *Usage) Tokens() (input, output int64) {
	input, output = -1, -1
	for _, used := range u.Meters {
		switch {
		case inputMeters[used.Meter]:
			input = max(input, 0) + used.Quantity.Int()
		case outputMeters[used.Meter]:
			output = max(output, 0) + used.Quantity.Int()
		}
	}
	return input, output
}

var inputMeters = set("input", "input_audio", "input_image", "input_video", "cache_read", "cache_read_audio",
	"cache_read_image", "cache_read_video", "cache_write", "cache_write_1h", "cache_write_12h")

var outputMeters = set("output", "output_audio", "output_image", "output_video")

var otherMeters = set("input_characters", "audio_seconds", "output_audio_seconds", "output_video_seconds",
	"output_images", "pages", "pages_annotated", "search_units", "web_searches", "web_searches_preview",
	"file_searches", "maps_searches", "code_sessions", "requests", "compute_seconds")

// IsMeter is whether usage may be stated under that name.
func IsMeter(name string) bool { return inputMeters[name] || outputMeters[name] || otherMeters[name] }

func isToken(meter string) bool { return inputMeters[meter] || outputMeters[meter] }

func set(names ...string) map[string]bool {
	found := make(map[string]bool, len(names))
	for _, name := range names {
		found[name] = true
	}
	return found
}

// Exactly is the quantity of an exact value that is not negative.
func Exactly(value *big.Rat) Quantity { return ofRat(value) }
