package redaction

import (
	"regexp"
	"strings"
)

// phones say which digits in which form are a telephone number.
var phones = map[string]validator{
	"phone_plus":     whole(isPlus),
	"phone_00":       whole(isDoubleZero),
	"phone_nanp":     whole(isNANP),
	"phone_national": whole(isNationalPhone),
	"phone_trunk":    whole(isTrunk),
	"phone_any":      whole(isAnnouncedPhone),
}

// callingCodes are those that ITU-T E.164 assigns.
var callingCodes = func() (made [1000]bool) {
	for _, code := range []int{
		1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61,
		62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98, 211, 212, 213, 216, 218, 880, 886, 888,
	} {
		made[code] = true
	}
	for _, span := range [][2]int{
		{220, 269}, {290, 299}, {350, 389}, {420, 423}, {500, 509}, {590, 599}, {670, 692}, {850, 859}, {960, 998},
	} {
		for code := span[0]; code <= span[1]; code++ {
			made[code] = true
		}
	}
	return made
}()

func hasCallingCode(n number, from int) bool {
	if n.digit[from] == 0 {
		return false // no code begins with it
	}
	for size := 1; size <= 3; size++ {
		if from+size <= n.size && callingCodes[n.value(from, from+size)] {
			return true
		}
	}
	return false
}

var (
	extension = regexp.MustCompile(` ?(?:x|ext)`)
	dates     = anchored(`^(?:(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?|\d\d?[-./ ]\d\d?[-./ ](?:19|20)\d\d)(?:\D|$)`)
	decimal   = anchored(`^\+\d+\.\d{5,}$`)
)

// bare are the digits without those of an extension.
func bare(value string) number {
	if strings.IndexByte(value, 'x') >= 0 {
		if found := extension.FindStringIndex(value); found != nil {
			value = value[:found[0]]
		}
	}
	return digitsOf(value)
}

func isPlus(value string) bool {
	n := bare(value)
	return 8 <= n.size && n.size <= 15 && hasCallingCode(n, 0) && isBalanced(value) && !decimal.matches(value, 0)
}

func isDoubleZero(value string) bool {
	n := bare(value)
	return 10 <= n.size && n.size <= 17 && hasCallingCode(n, 2) && isBalanced(value)
}

func isNANP(value string) bool {
	n := bare(value).last(10)
	return n.size == 10 && n.digit[0] > 1
}

// isNationalPhone: an area code in parentheses.
func isNationalPhone(value string) bool {
	n := bare(value)
	return 8 <= n.size && n.size <= 12 && !dates.matches(strings.TrimLeft(value, "("), 0)
}

// isTrunk: from its trunk zero, with one sort of separator after the area code.
func isTrunk(value string) bool {
	n := bare(value)
	if n.size < 9 || n.size > 12 || dates.matches(value, 0) {
		return false
	}
	var separators []byte
	for i := range len(value) {
		if isOneOf(value[i], " ./-") {
			separators = append(separators, value[i])
		}
	}
	if len(separators) > 1 {
		separators = separators[1:]
	}
	return len(separators) > 0 && strings.Count(string(separators), string(separators[:1])) == len(separators)
}

// isAnnouncedPhone: after a word that announces a number.
func isAnnouncedPhone(value string) bool {
	n := bare(value)
	return 7 <= n.size && n.size <= 15 && distinct(n) > 1 && isBalanced(value) && !isFourOctets(value) &&
		!dates.matches(value, 0)
}

func isFourOctets(value string) bool {
	if strings.Count(value, ".") != 3 {
		return false
	}
	for part := range strings.SplitSeq(value, ".") {
		n := digitsOf(part)
		if part == "" || n.size != len(part) || n.size > 3 || n.value(0, 3) > 255 {
			return false
		}
	}
	return true
}

func isBalanced(value string) bool { return strings.Count(value, "(") == strings.Count(value, ")") }
