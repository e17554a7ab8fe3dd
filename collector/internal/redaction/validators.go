package redaction

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// validator is a check on a matched value, such as a check digit. It returns how many bytes of the value are the find;
// 0 is no find.
type validator func(value string, minimum float64) int

var validators = func() map[string]validator {
	made := map[string]validator{
		"email": emailLength,
		"card":  whole(isCard),
		"luhn":  whole(func(value string) bool { d := digitsOf(value); return luhn(d) && distinct(d) > 2 }),
		"iban": func(value string, _ float64) int {
			return ibanLength(value, ibanLengths[strings.ToUpper(head(value, 2))])
		},
		"iban_announced": func(value string, _ float64) int { return ibanLength(value, alnums(value)) },
		"ipv4":           whole(isIPv4),
		"ipv6":           ipv6Length,
		"jwt":            whole(isJWT),
		"jwt_base64":     whole(isJWTInBase64),
		"basic_auth":     whole(isBasicAuth),
		"entropy":        isRandom,
		"key":            isVendorKey,
		"mixed":          whole(isMixed),
		"aws_key":        whole(func(value string) bool { return entropyOf(value) >= 2.5 && !strings.HasSuffix(value, "EXAMPLE") }),
		"assigned":       assignedLength,
		"password":       passwordLength,
		"url_password":   whole(isURLPassword),
	}
	for name, check := range national {
		made[name] = whole(check)
	}
	maps.Copy(made, phones)
	return made
}()

func whole(check func(string) bool) validator {
	return func(value string, _ float64) int {
		if check(value) {
			return len(value)
		}
		return 0
	}
}

func head(text string, size int) string { return text[:min(size, len(text))] }

// number is the ASCII digits of a value; longer ones than any rule has are cut.
type number struct {
	digit [40]byte // their values
	size  int
}

func digitsOf(value string) (made number) {
	for i := range len(value) {
		if isDigit(value[i]) && made.size < len(made.digit) {
			made.digit[made.size] = value[i] - '0'
			made.size++
		}
	}
	return made
}

// last is the number of the last digits.
func (n number) last(count int) (made number) {
	made.size = min(count, n.size)
	copy(made.digit[:], n.digit[n.size-made.size:n.size])
	return made
}

// value is what the digits from one place to another stand for, up to 18 of them.
func (n number) value(from, to int) (made int64) {
	for i := from; i < min(to, n.size); i++ {
		made = made*10 + int64(n.digit[i])
	}
	return made
}

func distinct(n number) (count int) {
	var seen [10]bool
	for _, digit := range n.digit[:n.size] {
		if !seen[digit] {
			seen[digit] = true
			count++
		}
	}
	return count
}

// luhn is the check digit of ISO/IEC 7812.
func luhn(n number) bool {
	total := 0
	for i := range n.size {
		digit := int(n.digit[n.size-1-i]) * (1 + i%2)
		if digit > 9 {
			digit -= 9
		}
		total += digit
	}
	return total%10 == 0
}

func isCard(value string) bool {
	n := digitsOf(value)
	return n.size >= 4 && issued(n) && luhn(n) && distinct(n) > 1
}

// issued is whether an issuer of cards has numbers that begin so and are so long.
func issued(n number) bool {
	two, three, four := n.value(0, 2), n.value(0, 3), n.value(0, 4)
	within := func(value, first, last int64) bool { return first <= value && value <= last }
	switch {
	case n.digit[0] == 4:
		return n.size == 16 || n.size == 19
	case within(two, 51, 55) || within(four, 2221, 2720) || within(four, 2200, 2204) || two == 35:
		return n.size == 16
	case two == 34 || two == 37 || four == 1800 || four == 2131:
		return n.size == 15
	case two == 36 || two == 38 || two == 39 || within(three, 300, 305):
		return n.size == 14 || n.size == 16
	case four == 6011 || within(three, 644, 649):
		return n.size == 16 || n.size == 19
	}
	switch two {
	case 62, 65, 60, 81, 82, 50, 56, 57, 58, 67, 63:
		return n.size == 16 || n.size == 19
	}
	return false
}

var notDomains = set(`
	png jpg jpeg gif svg webp css js ts tsx jsx py go rs java md json yaml yml html htm xml txt csv pdf mp4 mp3 so
	dll exe zip gz lock toml ini cfg conf local service target timer sock`)

// emailLength leaves out what follows the last label that can be a top level domain.
func emailLength(value string, _ float64) int {
	local, domain, ok := strings.Cut(value, "@")
	domain = strings.TrimRight(domain, "-")
	for domain != "" && !isTopLevel(domain[strings.LastIndexByte(domain, '.')+1:]) {
		domain = domain[:max(strings.LastIndexByte(domain, '.'), 0)]
	}
	last := strings.LastIndexByte(domain, '.')
	if !ok || last < 0 || local == "git" || len(local) > 64 || notDomains[strings.ToLower(domain[last+1:])] {
		return 0
	}
	if strings.Contains(local, "..") || strings.HasSuffix(local, ".") {
		return 0
	}
	for label := range strings.SplitSeq(domain, ".") {
		if strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return 0
		}
	}
	return len(local) + 1 + len(domain)
}

func isTopLevel(label string) bool {
	if rest, ok := strings.CutPrefix(label, "xn--"); ok {
		return len(rest) >= 2 && len(rest) <= 59 && runOf(rest, func(b byte) bool { return isASCIIAlnum(b) || b == '-' }) == len(rest)
	}
	return len(label) >= 2 && len(label) <= 24 && runOf(label, isASCIILetter) == len(label)
}

func isASCIILetter(b byte) bool { return isUpper(b) || isLower(b) }

func isASCIIAlnum(b byte) bool { return isASCIILetter(b) || isDigit(b) }

var ibanLengths = func() map[string]int {
	const all = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18" +
		"FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22" +
		"MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28" +
		"TL23TN24TR26UA29VA22VG24XK20YE30"
	made := map[string]int{}
	for at := 0; at < len(all); at += 4 {
		made[all[at:at+2]], _ = strconv.Atoi(all[at+2 : at+4])
	}
	return made
}()

func alnums(value string) (count int) {
	for i := range len(value) {
		if isASCIIAlnum(value[i]) {
			count++
		}
	}
	return count
}

// ibanLength is ISO 13616: the first wanted letters and digits, whose remainder by 97 is 1.
func ibanLength(value string, wanted int) int {
	if wanted < 5 || alnums(value) < wanted {
		return 0
	}
	var kept [64]byte
	size, end := 0, 0
	for i := 0; i < len(value) && size < wanted && size < len(kept); i++ {
		if isASCIIAlnum(value[i]) {
			kept[size] = lowerByte[value[i]]
			size++
			end = i + 1
		}
	}
	rest := 0
	for i := range size {
		b := kept[(i+4)%size]
		if isDigit(b) {
			rest = (rest*10 + int(b-'0')) % 97
		} else {
			rest = (rest*100 + int(b-'a') + 10) % 97
		}
	}
	if size < wanted || rest != 1 || holdsTwoWords(value[:end]) {
		return 0
	}
	return end
}

// holdsTwoWords is whether there are two groups of four small letters, which a stream takes for a gap between words.
func holdsTwoWords(value string) bool {
	for at := 0; at+10 <= len(value); at++ {
		if value[at] == ' ' && value[at+5] == ' ' && runOf(value[at+1:], isLower) == 4 {
			if size := runOf(value[at+6:], isLower); size == 4 && !wordByte[byteAt(value, at+10)] {
				return true
			}
		}
	}
	return false
}

func isIPv4(value string) bool {
	ones := true
	first, count := "", 0
	for part := range strings.SplitSeq(value, ".") {
		number, err := strconv.Atoi(part)
		if err != nil || number > 255 || (part[0] == '0' && part != "0") {
			return false
		}
		if count++; count == 1 {
			first = part
		}
		ones = ones && len(part) == 1
	}
	return first != "0" && first != "127" && first != "255" && !ones
}

func ipv6Length(value string, _ float64) int {
	kept := strings.TrimRight(value, ".")
	if strings.HasSuffix(kept, ":") && !strings.HasSuffix(kept, "::") {
		kept = kept[:len(kept)-1]
	}
	address, err := netip.ParseAddr(kept)
	if err != nil || !strings.Contains(kept, ":") || address.Zone() != "" {
		return 0
	}
	groups := 0
	for group := range strings.SplitSeq(kept, ":") {
		if group != "" {
			groups++
		}
	}
	if groups < 3 || !strings.ContainsAny(kept, "0123456789") {
		return 0
	}
	return len(kept)
}

func isJWT(value string) bool {
	encoded, _, _ := strings.Cut(value, ".")
	plain, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || !utf8.Valid(plain) {
		return false
	}
	var header map[string]any
	if json.Unmarshal(plain, &header) != nil {
		return false
	}
	_, alg := header["alg"]
	_, typ := header["typ"]
	return alg || typ
}

// isJWTInBase64: a token that was encoded once more, as in a Kubernetes secret.
func isJWTInBase64(value string) bool {
	plain, err := base64.StdEncoding.DecodeString(value[:len(value)/4*4])
	return err == nil && strings.HasPrefix(string(plain), "eyJ") && strings.Contains(string(plain), ".")
}

func isBasicAuth(value string) bool {
	encoded := strings.TrimRight(value, "=")
	if len(encoded)%4 == 3 && len(value) > len(encoded)+1 {
		return false // more padding than there is place for
	}
	plain, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || !strings.Contains(string(plain), ":") {
		return false
	}
	for _, b := range plain {
		if b < 32 || b == 127 {
			return false
		}
	}
	return true
}
