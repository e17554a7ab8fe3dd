package redaction

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// entropyOf is bits per character, by how often each one occurs in value.
func entropyOf(value string) float64 {
	var counts [utf8.RuneSelf]int
	var order [utf8.RuneSelf]byte // characters as they come, so that the sum is the same everywhere
	kinds := 0
	for i := range len(value) {
		b := value[i]
		if b >= utf8.RuneSelf {
			return entropyOfRunes(value)
		}
		if counts[b] == 0 {
			order[kinds] = b
			kinds++
		}
		counts[b]++
	}
	sum := 0.0
	for _, b := range order[:kinds] {
		sum += bits(counts[b], len(value))
	}
	return -sum
}

func entropyOfRunes(value string) float64 {
	counts, size := map[rune]int{}, utf8.RuneCountInString(value)
	var order []rune
	for _, r := range value {
		if counts[r] == 0 {
			order = append(order, r)
		}
		counts[r]++
	}
	sum := 0.0
	for _, r := range order {
		sum += bits(counts[r], size)
	}
	return -sum
}

func bits(count, size int) float64 {
	share := float64(count) / float64(size)
	return float64(share * math.Log2(share))
}

var (
	placeholder = anywhere(`(?i)(?:^|[^a-z])(?:example|placeholder|changeme|change[_-]?me|redacted|undefined|null|` +
		`none|insert|replace|dummy)|x{5,}|\*{3,}|\.{3}|your[_-]|my[_-](?:api|secret|token|key)|^<|^\$|^\[|%s|\{\{|0123456789|` +
		`abcdefghij|1234567890$`)
	code = anchored(`^(?:[A-Za-z_]\w*(?:(?:\.|->|::|/|-|:)[A-Za-z_]\w*)*\.?|[A-Za-z_.]+\(.*|` +
		`(?:https?|wss?|ftp|file|git|arn):.*|[./~].*|\d+(?:[.:/-]\d+)*|v?\d+\.\d+.*|[A-Za-z]+[a-z]/[\w./-]*)$`)
	notRandom = anywhere(`==.|\d\.\d+\.\d|=[a-z]+$|^[\w-]+(?:\.[\w-]+)+\.[a-z]{2,6}(?::\d+)?$|` +
		`^(?:[a-z]+\d?-)+\d+$|-\d+\.\d+$`)
	uuid      = anchored(`(?i)^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	noSecrets = anchored(`^[A-Za-z_]\w*(?:\.|->|::)\w|^[A-Za-z_.]+\(|^https?:|^/|^\$|^%\w|^&|^--?\w`)
	trivial   = []string{"password", "pass", "passwd", "pwd", "secret", "token", "test", "user", "username", "key", "pw"}
)

func isPlaceholder(value string) bool { return placeholder.matches(value, 0) }

func isRandom(value string, minimum float64) int {
	if entropyOf(value) >= minimum && !isPlaceholder(value) {
		return len(value)
	}
	return 0
}

// isVendorKey: random, with digits in it or cases mixed.
func isVendorKey(value string, minimum float64) int {
	body := behind(value, 4)
	mixed := strings.ContainsAny(body, "0123456789")
	for i := 0; !mixed && i+1 < len(body); i++ {
		mixed = isLower(body[i]) && isUpper(body[i+1])
	}
	if !mixed {
		return 0
	}
	return isRandom(value, minimum)
}

// behind is value without its first characters.
func behind(value string, count int) string {
	for range count {
		_, size := utf8.DecodeRuneInString(value)
		value = value[size:]
	}
	return value
}

func isMixed(value string) bool {
	body := behind(value, 2)
	letters := strings.ContainsFunc(body, isLetter)
	return letters && strings.ContainsAny(body, "0123456789") && entropyOf(value) >= 3.2
}

// assignedLength is for a value given to something called key, token or secret: random, and neither a name nor a place.
func assignedLength(value string, minimum float64) int {
	kept := strings.TrimRight(value, ".:,!|")
	size := utf8.RuneCountInString(kept)
	if size < 10 {
		return 0
	}
	if !strings.ContainsAny(kept, "0123456789") && (size < 20 || !isScrambled(kept)) {
		return 0
	}
	if entropyOf(kept) < minimum || isPlaceholder(kept) {
		return 0
	}
	if uuid.matches(kept, 0) {
		return len(kept)
	}
	if notRandom.matches(kept, 0) || (code.matches(kept, 0) && !isScrambled(kept)) {
		return 0
	}
	return len(kept)
}

// isScrambled: letters, cases and digits in turns, as in a key, and unlike `user_id_2`, `sha256sum` or `getUserToken`.
func isScrambled(value string) bool {
	turns, cases, lowers := 0, 0, false
	for i := range len(value) {
		this, next := value[i], byteAt(value, i+1)
		if isASCIILetter(this) && isDigit(next) || isDigit(this) && isASCIILetter(next) {
			turns++
		}
		if isASCIILetter(this) && isUpper(next) {
			cases++
		}
		lowers = lowers || isLower(this)
	}
	size := utf8.RuneCountInString(value)
	if turns >= 3 && turns*8 >= size-8 {
		return true
	}
	turns += cases
	return lowers && turns >= 5 && turns*10 >= size*3
}

func passwordLength(value string, _ float64) int {
	kept := value
	if !strings.HasSuffix(value, "!") {
		kept = strings.TrimRight(value, ".,:?|")
	}
	if utf8.RuneCountInString(kept) < 6 || kinds(kept) < 4 {
		return 0
	}
	lowers, uppers, digits, marks := classesOf(kept)
	classes := lowers + uppers + digits + marks
	if classes < 2 || digits+marks == 0 || isPlaceholder(kept) || noSecrets.matches(kept, 0) {
		return 0
	}
	return len(kept)
}

// classesOf are 1 for each sort of characters that occurs; marks are those that names and paths do not have.
func classesOf(value string) (lowers, uppers, digits, marks int) {
	for i := range len(value) {
		switch b := value[i]; {
		case isLower(b):
			lowers = 1
		case isUpper(b):
			uppers = 1
		case isDigit(b):
			digits = 1
		case strings.IndexByte("_.,:;/()'-", b) < 0:
			marks = 1
		}
	}
	return lowers, uppers, digits, marks
}

func kinds(value string) int {
	seen := []rune(value)
	slices.Sort(seen)
	return len(slices.Compact(seen))
}

// isURLPassword: in a place that holds nothing else, so that a weak one counts too; variables and samples do not.
func isURLPassword(value string) bool {
	return value != "" && !isOneOf(value[0], "${%<") && kinds(value) >= 2 && !isPlaceholder(value) &&
		!slices.Contains(trivial, strings.ToLower(value))
}
