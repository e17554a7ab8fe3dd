package policy

import (
	"math/big"
	"regexp"
	"strings"
)

// The implicit types of YAML 1.1, as PyYAML has them. Source: yaml/resolver.py of PyYAML 6.
var resolvers = []struct {
	kind    string
	pattern *regexp.Regexp
}{
	{"bool", regexp.MustCompile(`^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)},
	{"float", regexp.MustCompile(`^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|` +
		`[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)},
	{"int", regexp.MustCompile(`^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|` +
		`[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)},
	{"null", regexp.MustCompile(`^(?:~|null|Null|NULL|)$`)},
	{"value", regexp.MustCompile(`^=$`)},
}

func resolved(text string) string {
	for _, each := range resolvers {
		if each.pattern.MatchString(text) {
			return each.kind
		}
	}
	return "str"
}

func isTrue(text string) bool {
	switch strings.ToLower(text) {
	case "yes", "true", "on":
		return true
	}
	return false
}

// wholeNumber is a whole number of YAML 1.1 in decimal digits: 0x1F, 0b11, 017, 1_000, 1:30 (base 60).
func wholeNumber(text string) (string, bool) {
	text = strings.TrimPrefix(strings.ReplaceAll(text, "_", ""), "+")
	text, negative := strings.CutPrefix(text, "-")
	sum := new(big.Int)
	ok := true
	switch {
	case strings.HasPrefix(text, "0b"):
		_, ok = sum.SetString(text[2:], 2)
	case strings.HasPrefix(text, "0x"):
		_, ok = sum.SetString(text[2:], 16)
	case strings.Contains(text, ":"):
		for part := range strings.SplitSeq(text, ":") {
			digit, read := new(big.Int).SetString(part, 10)
			if ok = ok && read; ok {
				sum.Add(sum.Mul(sum, big.NewInt(60)), digit)
			}
		}
	case len(text) > 1 && text[0] == '0':
		_, ok = sum.SetString(text, 8)
	default:
		_, ok = sum.SetString(text, 10)
	}
	if !ok {
		return "", false
	}
	if negative {
		sum.Neg(sum)
	}
	return sum.String(), true
}
