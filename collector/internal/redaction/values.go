package redaction

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	deepest    = 64 // levels of values in one another that are looked into
	leastDigit = 7  // characters of a number that is looked at
)

// TooDeep stands for a value that lies deeper in others than is looked into.
const TooDeep = "[TOO_DEEP]"

var errNoJSON = errors.New("no JSON")

// dataURL is what the address of data that is within itself looks like: an image, not a text.
var dataURL = anchored(`^data:[0-9A-Za-z.+/-]{0,100}(?:;[0-9A-Za-z=-]{1,60}){0,4};base64,[0-9A-Za-z+/=_-]*$`)

// RedactValue is the text of a field of some name with every find replaced, whatever the text is: JSON in it is read
// value by value, the names in it announce their values, and its spacing stays.
func (r *Redactor) RedactValue(name, text string, tally *Tally) (made string, changed bool) {
	return r.value(name, text, 0, tally)
}

func (r *Redactor) value(name, text string, depth int, tally *Tally) (made string, changed bool) {
	if text == "" || (strings.HasPrefix(text, "data:") && dataURL.matches(text, 0)) {
		return text, false
	}
	if text[0] == '{' || text[0] == '[' {
		if depth >= deepest {
			return TooDeep, true
		}
		if last := lastMark(text); last == '}' || last == ']' {
			inside := walk{redactor: r, text: text, depth: depth}
			if inside.all() == nil {
				tally.Add(&inside.tally)
				return inside.result()
			}
		}
	}
	return r.announced(name, text, tally)
}

func lastMark(text string) byte {
	end := len(text)
	for end > 0 && isSpace(text[end-1]) {
		end--
	}
	return byteAt(text, end-1)
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }

// walk goes through a JSON text and copies it only where something is replaced.
type walk struct {
	redactor *Redactor
	text     string
	at       int
	depth    int
	tally    Tally
	out      []byte
	copied   int
}

func (w *walk) result() (made string, changed bool) {
	if w.copied == 0 {
		return w.text, false
	}
	return string(append(w.out, w.text[w.copied:]...)), true
}

// put replaces what was read since a place.
func (w *walk) put(from int, made string) {
	w.out = append(w.out, w.text[w.copied:from]...)
	w.out = appendQuoted(w.out, made)
	w.copied = w.at
}

// appendQuoted writes JSON as Python does with ensure_ascii off.
func appendQuoted(out []byte, text string) []byte {
	out = append(out, '"')
	for i := range len(text) {
		switch b := text[i]; {
		case b == '"' || b == '\\':
			out = append(out, '\\', b)
		case b == '\n':
			out = append(out, '\\', 'n')
		case b == '\r':
			out = append(out, '\\', 'r')
		case b == '\t':
			out = append(out, '\\', 't')
		case b < ' ':
			out = append(out, '\\', 'u', '0', '0', '0'+b>>4, "0123456789abcdef"[b&15])
		default:
			out = append(out, b)
		}
	}
	return append(out, '"')
}

func (w *walk) all() error {
	if err := w.one("", w.depth); err != nil {
		return err
	}
	if w.space(); w.at != len(w.text) {
		return errNoJSON
	}
	return nil
}

func (w *walk) space() {
	for w.at < len(w.text) && isSpace(w.text[w.at]) {
		w.at++
	}
}

// one reads a value in a field of some name.
func (w *walk) one(name string, depth int) error {
	w.space()
	from := w.at
	switch b := byteAt(w.text, w.at); {
	case b == '"':
		text, err := w.quoted()
		if err != nil {
			return err
		}
		if made, changed := w.redactor.value(name, text, depth+1, &w.tally); changed {
			w.put(from, made)
		}
		return nil
	case (b == '{' || b == '[') && depth >= deepest:
		return w.skip()
	case b == '{':
		return w.object(depth)
	case b == '[':
		return w.array(name, depth)
	}
	return w.plain(name)
}

func (w *walk) object(depth int) error {
	return w.items('}', func() error {
		from := w.at
		key, err := w.quoted()
		if err != nil {
			return err
		}
		if made, changed := w.redactor.announced("", key, &w.tally); changed {
			w.put(from, made)
		}
		w.space()
		if byteAt(w.text, w.at) != ':' {
			return errNoJSON
		}
		w.at++
		return w.one(key, depth+1)
	})
}

func (w *walk) array(name string, depth int) error {
	return w.items(']', func() error { return w.one(name, depth+1) })
}

// items reads what stands between the opening mark and the closing one, with commas between.
func (w *walk) items(closing byte, one func() error) error {
	w.at++
	if w.space(); byteAt(w.text, w.at) == closing {
		w.at++
		return nil
	}
	for {
		w.space()
		if err := one(); err != nil {
			return err
		}
		w.space()
		w.at++
		switch byteAt(w.text, w.at-1) {
		case closing:
			return nil
		case ',':
		default:
			return errNoJSON
		}
	}
}

// skip replaces a value that lies too deep.
func (w *walk) skip() error {
	from := w.at
	decoder := json.NewDecoder(strings.NewReader(w.text[from:]))
	var raw json.RawMessage
	if decoder.Decode(&raw) != nil {
		return errNoJSON
	}
	w.at = from + int(decoder.InputOffset())
	w.put(from, TooDeep)
	return nil
}

// plain reads a number or a word. A number may be a card's.
func (w *walk) plain(name string) error {
	from := w.at
	for w.at < len(w.text) && (isASCIIAlnum(w.text[w.at]) || isOneOf(w.text[w.at], "+-.")) {
		w.at++
	}
	switch token := w.text[from:w.at]; token {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
	default:
		if !json.Valid([]byte(token)) {
			return errNoJSON
		}
		if len(token) < leastDigit {
			return nil
		}
		if made, changed := w.redactor.announced(name, token, &w.tally); changed {
			w.put(from, made)
		}
	}
	return nil
}

// quoted reads a text in quotation marks.
func (w *walk) quoted() (string, error) {
	if byteAt(w.text, w.at) != '"' {
		return "", errNoJSON
	}
	w.at++
	from := w.at
	for w.at < len(w.text) {
		switch b := w.text[w.at]; {
		case b == '"':
			w.at++
			return w.text[from : w.at-1], nil
		case b == '\\':
			return w.escaped(from)
		case b < ' ':
			return "", errNoJSON
		}
		w.at++
	}
	return "", errNoJSON
}

// escaped reads on where the first escape of a text is.
func (w *walk) escaped(from int) (string, error) {
	made := []byte(w.text[from:w.at])
	for w.at < len(w.text) {
		b := w.text[w.at]
		w.at++
		switch {
		case b == '"':
			return string(made), nil
		case b < ' ':
			return "", errNoJSON
		case b != '\\':
			made = append(made, b)
			continue
		}
		mark := byteAt(w.text, w.at)
		w.at++
		switch at := strings.IndexByte(`"\/bfnrt`, mark); {
		case mark == 'u':
			r, err := w.hex()
			if err != nil {
				return "", err
			}
			made = utf8.AppendRune(made, r)
		case mark == 0 || at < 0:
			return "", errNoJSON
		default:
			made = append(made, "\"\\/\b\f\n\r\t"[at])
		}
	}
	return "", errNoJSON
}

// hex reads the digits of an escape, and the second half of a pair.
func (w *walk) hex() (rune, error) {
	first, err := w.digits()
	if err != nil || !utf16.IsSurrogate(first) || !strings.HasPrefix(w.text[w.at:], `\u`) {
		return first, err
	}
	from := w.at
	w.at += 2
	second, err := w.digits()
	if err != nil {
		return 0, err
	}
	if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
		return pair, nil
	}
	w.at = from
	return utf8.RuneError, nil
}

func (w *walk) digits() (rune, error) {
	if w.at+4 > len(w.text) {
		return 0, errNoJSON
	}
	value, err := strconv.ParseUint(w.text[w.at:w.at+4], 16, 16)
	if err != nil {
		return 0, errNoJSON
	}
	w.at += 4
	return rune(value), nil
}
