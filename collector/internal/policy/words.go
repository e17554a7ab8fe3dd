package policy

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// field is one {name} of a message, after the text before it. Without a name the text is the end.
type field struct {
	before string
	name   string
	is     bool
	form   bool // whether there is more than a name: {name:>10}, {name!r}
}

// In the words of Python's string.Formatter, which users of both runtimes read.
var (
	//lint:ignore ST1005 Python's words
	errStray = errors.New("Single '}' encountered in format string")
	//lint:ignore ST1005 Python's words
	errEnd      = errors.New("Single '{' encountered in format string")
	errUnclosed = errors.New("expected '}' before end of string")
)

// fields are the parts of a message.
func fields(text string) ([]field, error) {
	var found []field
	var before strings.Builder
	for at := 0; at < len(text); at++ {
		c := text[at]
		switch {
		case c != '{' && c != '}':
			before.WriteByte(c)
			continue
		case at+1 < len(text) && text[at+1] == c:
			before.WriteByte(c)
			at++
			continue
		case c == '}':
			return nil, errStray
		case at+1 == len(text):
			return nil, errEnd
		}
		length := closing(text[at+1:])
		if length < 0 {
			return nil, errUnclosed
		}
		name, _, _ := strings.Cut(text[at+1:at+1+length], ":")
		name, _, _ = strings.Cut(name, "!")
		found = append(found, field{before.String(), name, true, len(name) != length})
		before.Reset()
		at += length + 1
	}
	return append(found, field{before: before.String()}), nil
}

// closing is how far away the brace is that closes a field.
func closing(text string) int {
	depth := 1
	for at := range len(text) {
		switch text[at] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return at
			}
		}
	}
	return -1
}

// filled is a message with {model} and the like filled in.
func filled(text string, facts Facts) string {
	if !strings.Contains(text, "{") {
		return text
	}
	parts, err := fields(text)
	if err != nil {
		return text
	}
	var into strings.Builder
	for _, part := range parts {
		into.WriteString(part.before)
		if part.is {
			into.WriteString(word(part.name, facts.Fact(Number(part.name))))
		}
	}
	return into.String()
}

func word(name string, fact any) string {
	switch fact := fact.(type) {
	case nil:
		return "an unknown " + name
	case string:
		return fact
	case int64:
		return strconv.FormatInt(fact, 10)
	case float64:
		return decimal(fact)
	case []string:
		return strings.Join(fact, ", ")
	default:
		return fmt.Sprint(fact)
	}
}

// decimal is a double as Python writes it: 0.05, 1.0, 1e-05, 1e+16.
func decimal(number float64) string {
	switch {
	case math.IsNaN(number):
		return "nan"
	case math.IsInf(number, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(number, 'g', -1, 64)), "+")
	}
	text := strconv.FormatFloat(number, 'e', -1, 64)
	_, power, _ := strings.Cut(text, "e")
	if exponent, _ := strconv.Atoi(power); exponent < -4 || exponent >= 16 {
		return text
	}
	text = strconv.FormatFloat(number, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
