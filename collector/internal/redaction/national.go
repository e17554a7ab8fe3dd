package redaction

import (
	"strings"
	"time"
)

// national are the check digits of national identity, tax and social security numbers, by the issuing authorities'
// published algorithms.
var national = map[string]func(string) bool{
	"ssn":            isSSN,
	"nino":           func(value string) bool { return !isOneOfPairs(head(value, 2), "BG GB NK KN TN NT") },
	"nhs":            isNHS,
	"steuer_id":      isSteuerID,
	"insee":          isINSEE,
	"dni":            isDNI,
	"codice_fiscale": isCodiceFiscale,
	"bsn":            isBSN,
	"pesel":          isPESEL,
	"be_number":      isBelgian,
	"personnummer":   isPersonnummer,
	"hetu":           isHETU,
	"fodselsnummer":  isFodselsnummer,
	"date_ddmmyy":    isDateDDMMYY,
	"ahv": func(value string) bool {
		return weighted(digitsOf(value), 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)%10 == 0
	},
	"nif":         isNIF,
	"cpf":         func(value string) bool { return pairMod11(digitsOf(value), 11, 10, 9, 8, 7, 6, 5, 4, 3, 2) },
	"cnpj":        func(value string) bool { return pairMod11(digitsOf(value), 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2) },
	"aadhaar":     isAadhaar,
	"sin":         func(value string) bool { n := digitsOf(value); return luhn(n) && distinct(n) > 1 },
	"tfn":         isTFN,
	"medicare":    isMedicare,
	"rut":         isRUT,
	"resident_id": isResidentID,
	"rrn":         isRRN,
	"nric":        isNRIC,
	"za_id":       isSouthAfrican,
	"account":     func(value string) bool { return distinct(digitsOf(value)) > 1 },
}

// weighted is the sum of the digits by their weights, as far as both go.
func weighted(n number, weights ...int) (sum int) {
	for i := range min(n.size, len(weights)) {
		sum += int(n.digit[i]) * weights[i]
	}
	return sum
}

func isOneOfPairs(pair, all string) bool {
	return len(pair) == 2 && strings.Contains(all, strings.ToUpper(pair))
}

func isDate(year, month, day int64) bool {
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 {
		return false
	}
	made := time.Date(int(year), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	return int64(made.Day()) == day
}

// isShortDate takes a year of two digits for one of this century or of the last.
func isShortDate(yy, mm, dd int64) bool { return isDate(2000+yy, mm, dd) || isDate(1900+yy, mm, dd) }

func isSSN(value string) bool {
	n := digitsOf(value)
	area, group, serial := n.value(0, 3), n.value(3, 5), n.value(5, n.size)
	if n.size != 9 || group == 0 || serial == 0 || area == 0 || area == 666 || distinct(n) < 2 {
		return false
	}
	return area < 900 || group >= 50 // 9xx is a taxpayer number, whose group starts at 50
}

func isNHS(value string) bool {
	n := digitsOf(value)
	return n.size == 10 && (11-weighted(n, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11)%11 == int(n.digit[9])
}

func isSteuerID(value string) bool {
	n := digitsOf(value)
	if n.size != 11 {
		return false
	}
	product, most := 10, 0
	var counts [10]int
	for _, digit := range n.digit[:10] {
		total := (int(digit) + product) % 10
		if total == 0 {
			total = 10
		}
		product = total * 2 % 11
		counts[digit]++
		most = max(most, counts[digit])
	}
	return (11-product)%10 == int(n.digit[10]) && (most == 2 || most == 3)
}

func isINSEE(value string) bool {
	plain := strings.ToUpper(strings.ReplaceAll(value, " ", ""))
	if len(plain) != 15 {
		return false
	}
	number := plain[:13]
	switch plain[5:7] { // Corsica
	case "2A":
		number = strings.ReplaceAll(number, "2A", "19")
	case "2B":
		number = strings.ReplaceAll(number, "2B", "18")
	}
	n := digitsOf(number)
	return n.size == len(number) && 97-n.value(0, 13)%97 == digitsOf(plain[13:]).value(0, 2)
}

func isDNI(value string) bool {
	var plain []byte
	for i := range len(value) {
		if isASCIIAlnum(value[i]) {
			plain = append(plain, value[i])
		}
	}
	text := strings.ToUpper(string(plain))
	if len(text) < 2 {
		return false
	}
	last := len(text) - 1
	n := digitsOf(strings.NewReplacer("X", "0", "Y", "1", "Z", "2").Replace(text[:last]))
	return n.size == last && "TRWAGMYFPDXBNJZSQVHLCKE"[n.value(0, 18)%23] == text[last]
}

var oddPlaces = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

func isCodiceFiscale(value string) bool {
	text := strings.ToUpper(value)
	if len(text) != 16 || alnums(text) != 16 {
		return false
	}
	total := 0
	for i := range 15 {
		number := int(text[i] - '0')
		if !isDigit(text[i]) {
			number = int(text[i] - 'A')
		}
		if i%2 == 0 {
			number = oddPlaces[number]
		}
		total += number
	}
	return text[15] == byte('A'+total%26)
}

func isBSN(value string) bool {
	n := digitsOf(value)
	if n.size > 9 {
		return false
	}
	var padded number
	padded.size = 9
	copy(padded.digit[9-n.size:], n.digit[:n.size])
	return weighted(padded, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0 && distinct(padded) > 1
}

func isPESEL(value string) bool {
	n := digitsOf(value)
	return n.size == 11 && weighted(n, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)%10 == 0 &&
		isShortDate(n.value(0, 2), n.value(2, 4)%20, n.value(4, 6))
}

func isBelgian(value string) bool {
	n := digitsOf(value)
	body, check := n.value(0, 9), n.value(9, n.size)
	return n.size == 11 && (check == 97-body%97 || check == 97-(2_000_000_000+body)%97)
}

func isPersonnummer(value string) bool {
	n := digitsOf(value).last(10)
	day := n.value(4, 6)
	if day > 60 { // a coordination number
		day -= 60
	}
	return n.size == 10 && luhn(n) && isShortDate(n.value(0, 2), n.value(2, 4), day)
}

func isHETU(value string) bool {
	if len(value) != 11 {
		return false
	}
	n := digitsOf(value[:6] + value[7:10])
	return n.size == 9 && "0123456789ABCDEFHJKLMNPRSTUVWXY"[n.value(0, 9)%31] == value[10] &&
		isShortDate(n.value(4, 6), n.value(2, 4), n.value(0, 2))
}

func isFodselsnummer(value string) bool {
	n := digitsOf(value)
	return n.size == 11 && weighted(n, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1)%11 == 0 &&
		weighted(n, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0
}

func isDateDDMMYY(value string) bool {
	n := digitsOf(head(value, 6))
	return n.size == 6 && isShortDate(n.value(4, 6), n.value(2, 4), n.value(0, 2))
}

func isNIF(value string) bool {
	n := digitsOf(value)
	return n.size >= 9 && int(n.digit[8]) == checkMod11(weighted(n, 9, 8, 7, 6, 5, 4, 3, 2))
}

func checkMod11(sum int) int {
	if rest := sum % 11; rest >= 2 {
		return 11 - rest
	}
	return 0
}

// pairMod11 are the two check digits of Brazil: the second is over the first too.
func pairMod11(n number, weights ...int) bool {
	if n.size != len(weights)+1 {
		return false
	}
	for place := n.size - 2; place < n.size; place++ {
		if int(n.digit[place]) != checkMod11(weighted(n, weights[len(weights)-place:]...)) {
			return false
		}
	}
	return distinct(n) > 1
}

var (
	dihedral = [10]string{
		"0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
		"5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
	}
	turns = [8]string{
		"0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
	}
)

func isAadhaar(value string) bool {
	n, check := digitsOf(value), byte(0)
	for i := range n.size {
		check = dihedral[check][turns[i%8][n.digit[n.size-1-i]]-'0'] - '0'
	}
	return check == 0
}

func isTFN(value string) bool {
	n := digitsOf(value)
	sum := weighted(n, 10, 7, 8, 4, 6, 3, 5, 1)
	if n.size == 9 {
		sum = weighted(n, 1, 4, 3, 7, 5, 8, 6, 9, 10)
	}
	return sum%11 == 0 && distinct(n) > 1
}

func isMedicare(value string) bool {
	n := digitsOf(value)
	return n.size >= 9 && weighted(n, 1, 3, 7, 9, 1, 3, 7, 9)%10 == int(n.digit[8])
}

func isRUT(value string) bool {
	if value == "" {
		return false
	}
	n, sum := digitsOf(value[:len(value)-1]), 0
	for i := range min(n.size, 12) {
		sum += int(n.digit[n.size-1-i]) * (2 + i%6)
	}
	return "0123456789K0"[11-sum%11] == lowerToUpper(value[len(value)-1])
}

func lowerToUpper(b byte) byte {
	if isLower(b) {
		return b - 'a' + 'A'
	}
	return b
}

func isResidentID(value string) bool {
	n := digitsOf(head(value, 17))
	if len(value) != 18 || n.size != 17 {
		return false
	}
	rest := weighted(n, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2) % 11
	return "10X98765432"[rest] == lowerToUpper(value[17]) && isDate(n.value(6, 10), n.value(10, 12), n.value(12, 14))
}

func isRRN(value string) bool {
	n := digitsOf(value)
	return n.size == 13 && (11-weighted(n, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)%11)%10 == int(n.digit[12])
}

func isNRIC(value string) bool {
	n := digitsOf(value)
	if len(value) != 9 || n.size != 7 {
		return false
	}
	total := weighted(n, 2, 7, 6, 5, 4, 3, 2)
	if value[0] == 'T' || value[0] == 'G' {
		total += 4
	}
	letters := "XWUTRQPNMLK"
	if value[0] == 'S' || value[0] == 'T' {
		letters = "JZIHGFEDCBA"
	}
	return letters[total%11] == value[8]
}

func isSouthAfrican(value string) bool {
	n := digitsOf(value)
	return luhn(n) && isShortDate(n.value(0, 2), n.value(2, 4), n.value(4, 6))
}
