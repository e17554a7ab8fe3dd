package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genops-ai/genops/collector/internal/suggest"
)

// reader reads values; err is the first mistake, and what is read after it means nothing.
type reader struct{ err error }

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// shape is how a value is read, by the name of its key.
type shape func(r *reader, given *value)

// table reads known keys in the order of the file and refuses any other.
func (r *reader) table(given *value, known []string, required []string, shapes map[string]shape) {
	if given.kind == isNull && len(required) == 0 {
		return
	}
	if given.kind != isTable {
		r.fail(given.expected("keys with values", "{"+known[0]+": ...}"))
		return
	}
	for _, key := range given.keys {
		if !slices.Contains(known, key) {
			inside := ""
			if given.name != "" {
				inside = " in " + given.name
			}
			r.fail(given.fields[key].fault("unknown key "+quote(key)+inside+"."+suggest.DidYouMean(key, known),
				"use "+strings.Join(known, ", ")))
			return
		}
	}
	for _, key := range required {
		if given.fields[key] == nil {
			r.fail(given.fault(given.name+" has no "+quote(key)+".", key+": ..."))
			return
		}
	}
	for _, key := range given.keys {
		if r.err == nil {
			shapes[key](r, given.fields[key])
		}
	}
}

// text is text that is not blank. A whole number is taken as it is written.
func (r *reader) text(given *value, example string) string {
	switch {
	case given.kind == isWhole:
		return given.raw
	case given.kind != isText:
		r.fail(given.expected("text", "'"+example+"'"))
	case strings.TrimSpace(given.text) == "":
		r.fail(given.fault(given.name+" is empty.", given.last+": "+example+", or remove the key"))
	}
	return strings.TrimSpace(given.text)
}

func (r *reader) flag(given *value) bool {
	if given.kind != isFlag {
		r.fail(given.expected("true or false", "true"))
	}
	return given.flag
}

func (r *reader) count(given *value, least int64, example string) int64 {
	whole, err := strconv.ParseInt(given.text, 10, 64)
	if given.kind != isWhole || err != nil || whole < least {
		r.fail(given.expected(fmt.Sprintf("a whole number of %d or more", least), example))
	}
	return whole
}

func (r *reader) choice(given *value, words ...string) string {
	if given.kind == isText && slices.Contains(words, given.text) {
		return given.text
	}
	hint := ""
	if given.kind == isText {
		hint = suggest.DidYouMean(given.text, words)
	}
	r.fail(given.fault(fmt.Sprintf("%s is %s, expected %s.%s", given.name, given.described(), strings.Join(words, " or "), hint),
		given.last+": "+words[0]))
	return ""
}

// names is a list of words; one alone needs no brackets where single is true.
func (r *reader) names(given *value, example string, single, empty bool) []string {
	if single && (given.kind == isText || given.kind == isWhole) {
		return []string{r.text(given, example)}
	}
	if given.kind != isList || (len(given.items) == 0 && !empty) {
		r.fail(given.expected("a list of names", "["+example+"]"))
		return nil
	}
	found := make([]string, 0, len(given.items))
	for _, item := range given.items {
		found = append(found, r.text(item, example))
	}
	return found
}

func (r *reader) list(given *value, each func(item *value)) {
	if given.kind != isList {
		r.fail(given.expected("a list", "[...]"))
		return
	}
	for _, item := range given.items {
		if r.err == nil {
			each(item)
		}
	}
}

func (r *reader) mapping(given *value) {
	if given.kind != isTable {
		r.fail(given.expected("keys with values", "{key: value}"))
	}
}

var durationForm = regexp.MustCompile(`^([1-9][0-9]{0,8})([smhd])$`)

// seconds is a whole number of seconds, minutes, hours or days: 90s, 30m, 24h, 7d.
func (r *reader) seconds(given *value) int64 {
	found := durationForm.FindStringSubmatch(given.text)
	if given.kind != isText || found == nil {
		r.fail(given.expected("a length of time", "24h"))
		return 0
	}
	number, _ := strconv.ParseInt(found[1], 10, 64)
	return number * map[string]int64{"s": 1, "m": 60, "h": 3600, "d": 86_400}[found[2]]
}

var momentForm = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d\d(?::?\d\d)?)?$`)

// moment is a date, which lasts until its end in UTC, or a time with its offset.
func (r *reader) moment(given *value) time.Time {
	text := given.text
	if given.kind == isText && len(text) == len("2026-12-31") {
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			return day.AddDate(0, 0, 1)
		}
	}
	found := momentForm.FindStringSubmatch(text)
	if given.kind != isText || found == nil {
		r.fail(given.expected("a date or a time", "2026-12-31, or 2026-12-31T18:00:00+01:00"))
		return time.Time{}
	}
	fraction := (found[5] + "000000")[:6]
	offset := strings.ReplaceAll(found[6], ":", "")
	switch {
	case offset == "":
		r.fail(given.fault(given.name+" has no offset from UTC.", text+"Z"))
		return time.Time{}
	case offset == "Z":
		offset = "+0000"
	case len(offset) == len("+01"):
		offset += "00"
	}
	whole := fmt.Sprintf("%sT%s:%s:%s.%s%s", found[1], found[2], orZero(found[3]), orZero(found[4]), fraction, offset)
	moment, err := time.Parse("2006-01-02T15:04:05.000000-0700", whole)
	if err != nil {
		r.fail(given.expected("a date or a time", "2026-12-31, or 2026-12-31T18:00:00+01:00"))
	}
	return moment
}

func orZero(digits string) string {
	if digits == "" {
		return "00"
	}
	return digits
}
