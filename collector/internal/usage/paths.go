package usage

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"unicode/utf8"
)

// getter reads one path: of the usage object, of the whole response, of the request. nil where nothing is stated.
type getter func(usage, response, request any) any

var (
	segment = regexp.MustCompile(`^([\w-]+)(?:\[(?:(\w+)(?:=([^\]]*))?)?\])?$`)
	oneName = regexp.MustCompile(`^[\w-]+$`)
)

// get is the value of a key; nil if it is not there.
func get(value any, name string) any {
	if object, ok := value.(map[string]any); ok {
		return object[name]
	}
	return nil
}

// compile compiles `a.b|c[type=x].d`. Source: spec/usage/README.md.
func compile(path string) (getter, error) {
	var options []getter
	for _, option := range strings.Split(path, "|") {
		compiled, err := compileOne(option)
		if err != nil {
			return nil, err
		}
		options = append(options, compiled)
	}
	return func(usage, response, request any) any {
		for _, option := range options {
			if value := option(usage, response, request); value != nil {
				return value
			}
		}
		return nil
	}, nil
}

func compileOne(path string) (getter, error) {
	if name, ok := strings.CutPrefix(path, "?#"); ok {
		return func(_, _, request any) any {
			if text, ok := get(request, name).(string); ok {
				return json.Number(fmt.Sprint(utf8.RuneCountInString(text)))
			}
			return nil
		}, nil
	}
	if name, ok := strings.CutPrefix(path, "~"); ok {
		duration, err := walk(name)
		return func(usage, _, _ any) any { return seconds(duration(usage)) }, err
	}
	path, count := strings.CutPrefix(path, "#")
	read := walk
	if count {
		read = counting
	}
	if name, ok := strings.CutPrefix(path, "?"); ok {
		compiled, err := walk(name)
		return func(_, _, request any) any { return compiled(request) }, err
	}
	if name, ok := strings.CutPrefix(path, "/"); ok {
		compiled, err := read(name)
		return func(_, response, _ any) any { return compiled(response) }, err
	}
	compiled, err := read(path)
	return func(usage, _, _ any) any { return compiled(usage) }, err
}

type reader func(any) any

// walk goes down a chain of names; a name in brackets goes through a list and adds up.
func walk(path string) (reader, error) {
	if oneName.MatchString(path) {
		return func(value any) any { return get(value, path) }, nil
	}
	head, rest, _ := strings.Cut(path, ".")
	parts := segment.FindStringSubmatch(head)
	if parts == nil {
		return nil, fmt.Errorf("not a path: %q", path)
	}
	after := reader(func(value any) any { return value })
	if rest != "" {
		var err error
		if after, err = walk(rest); err != nil {
			return nil, err
		}
	}
	name, key, wanted, hasWanted := parts[1], parts[2], parts[3], strings.Contains(head, "=")
	if !strings.Contains(head, "[") {
		return func(value any) any {
			if inner := get(value, name); inner != nil {
				return after(inner)
			}
			return nil
		}, nil
	}
	return func(value any) any {
		items, _ := get(value, name).([]any)
		var stated []any
		for _, item := range items {
			if found := after(item); fits(item, key, wanted, hasWanted) && found != nil {
				stated = append(stated, found)
			}
		}
		return sum(stated)
	}, nil
}

// counting is the number of items of a list; nil for none.
func counting(path string) (reader, error) {
	parts := segment.FindStringSubmatch(path)
	if parts == nil {
		return nil, fmt.Errorf("not a path to count: %q", path)
	}
	return func(value any) any {
		items, _ := get(value, parts[1]).([]any)
		count := 0
		for _, item := range items {
			if fits(item, parts[2], parts[3], strings.Contains(path, "=")) {
				count++
			}
		}
		if count == 0 {
			return nil
		}
		return json.Number(fmt.Sprint(count))
	}, nil
}

func fits(item any, key, wanted string, hasWanted bool) bool {
	if key == "" {
		return true
	}
	value := get(item, key)
	if !hasWanted {
		return value != nil
	}
	return fmt.Sprint(value) == wanted
}

func sum(stated []any) any {
	if len(stated) == 0 {
		return nil
	}
	total := new(big.Rat)
	for _, each := range stated {
		exact := number(each)
		if exact == nil {
			return nil
		}
		total.Add(total, exact)
	}
	return total
}

func seconds(nanoseconds any) any {
	exact := number(nanoseconds)
	if exact == nil || !exact.IsInt() {
		return nil
	}
	return new(big.Rat).Quo(exact, new(big.Rat).SetInt64(1_000_000_000))
}

// Numbers of JSON that are longer, or larger, are no usage.
const longestNumber = 60

// number is the exact value of a number; nil for anything else.
func number(value any) *big.Rat {
	switch given := value.(type) {
	case *big.Rat:
		return given
	case json.Number:
		text := string(given)
		if mantissa, exponent, scientific := strings.Cut(strings.ToLower(text), "e"); scientific {
			if len(strings.TrimLeft(exponent, "+-0")) > 2 || len(mantissa) > longestNumber {
				return nil
			}
		} else if len(text) > longestNumber {
			return nil
		}
		if found, ok := new(big.Rat).SetString(text); ok {
			return found
		}
	}
	return nil
}
