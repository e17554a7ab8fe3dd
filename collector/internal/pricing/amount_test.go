package pricing

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAmountsAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "0.0098125": "0.0098125", "5.": "5", ".5": "0.5", "007.50": "7.5", "0.000000000001": "0.000000000001",
		"9999999999999999999": "9999999999999999999", "9999999.999999999999": "9999999.999999999999", "+1": "1", "-0": "0",
		"123456789012345678901234.5": "123456789012345678901234.5",
	} {
		found, ok := ParseAmount(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, found.String(), text)
	}
	for _, text := range []string{"", ".", "-1", "1e3", "1.2.3", "0.0000000000001", "1,5", " 1", "NaN", "1/3", "\u0661"} {
		_, ok := ParseAmount(text)
		assert.False(t, ok, text)
	}
}

func FuzzAmount(f *testing.F) {
	for _, text := range []string{"0.0098125", "5.", ".5", ".", "9999999999999999999", "0.0000000000001", "1.2.3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		short, ok := shortAmount(text)
		long, read := longAmount(text)
		if ok && (!read || short != long) {
			t.Errorf("%q: %s, and exactly %s (%v)", text, short, long, read)
		}
	})
}
