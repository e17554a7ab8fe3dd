package budget

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/genops-ai/genops/collector/internal/suggest"
)

// entry is a mapping of the file, with what messages call its place.
type entry struct {
	where  string
	values map[string]any
}

func (e entry) at(key string) string { return e.where + "." + key }

func (e entry) expected(key, what, example string) error {
	return fmt.Errorf("%s: expected %s, got %s.  fix: %s: %s", e.at(key), what, said(e.values[key]), key, example)
}

func (e entry) refuseUnknown(known []string, required ...string) error {
	for _, key := range slices.Sorted(maps.Keys(e.values)) {
		if !slices.Contains(known, key) {
			return fmt.Errorf("%s: unknown key '%s'.%s  fix: use %s", e.where, key, suggest.DidYouMean(key, known),
				strings.Join(known, ", "))
		}
	}
	for _, key := range required {
		if e.values[key] == nil {
			return fmt.Errorf("%s: %s is missing.  fix: {name: team-monthly, limit: 500}", e.where, key)
		}
	}
	return nil
}

func (e entry) text(key, otherwise, example string) (string, error) {
	value, given := e.values[key]
	if !given {
		return otherwise, nil
	}
	text, ok := value.(string)
	if !ok || strings.TrimSpace(text) == "" {
		return "", e.expected(key, "text", example)
	}
	return text, nil
}

func (e entry) choice(key, otherwise string, choices []string) (string, error) {
	text, err := e.text(key, otherwise, choices[0])
	if err == nil && !slices.Contains(choices, text) {
		return "", fmt.Errorf("%s is '%s'.%s  fix: use %s", e.at(key), text, suggest.DidYouMean(text, choices),
			strings.Join(choices, ", "))
	}
	return text, err
}

func (e entry) names(key, example string) ([]string, error) {
	switch given := e.values[key].(type) {
	case nil:
		if _, there := e.values[key]; !there {
			return nil, nil
		}
	case string:
		if strings.TrimSpace(given) != "" {
			return []string{given}, nil
		}
	case []any:
		found := make([]string, 0, len(given))
		for _, value := range given {
			text, ok := value.(string)
			if !ok || strings.TrimSpace(text) == "" {
				return nil, e.expected(key, "text or a list of texts", example)
			}
			found = append(found, text)
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, e.expected(key, "text or a list of texts", example)
}

func (e entry) count(key string, otherwise, least int64, example string) (int64, error) {
	value, given := e.values[key]
	if !given {
		return otherwise, nil
	}
	number, ok := whole(value)
	if !ok || number < least {
		return 0, e.expected(key, fmt.Sprintf("a whole number of %d or more", least), example)
	}
	return number, nil
}

// amount is a decimal as counted units. YAML gives a number with a point as a double; its shortest decimal is what was
// written, up to 15 digits.
func (e entry) amount(key, unit string) (int64, error) {
	text, ok := decimalOf(e.values[key])
	if !ok {
		return 0, e.expected(key, "an amount", `"0.25"`)
	}
	counted, err := Counted(text, unit)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", e.at(key), err)
	}
	return counted, nil
}

func (e entry) seconds(key string, otherwise int64, example string) (int64, error) {
	value, given := e.values[key]
	if !given {
		return otherwise, nil
	}
	text, _ := value.(string)
	parts := duration.FindStringSubmatch(text)
	if parts == nil {
		return 0, e.expected(key, "a length of time", example)
	}
	number, _ := strconv.ParseInt(parts[1], 10, 64)
	return number * seconds[parts[2]], nil
}

func whole(value any) (int64, bool) {
	switch given := value.(type) {
	case int:
		return int64(given), true
	case int64:
		return given, true
	case uint64:
		return int64(given), given <= math.MaxInt64
	case float64:
		if given == math.Trunc(given) && math.Abs(given) < 1<<53 {
			return int64(given), true
		}
	}
	return 0, false
}

func decimalOf(value any) (string, bool) {
	switch given := value.(type) {
	case string:
		return given, decimal.MatchString(given)
	case float64:
		text := strconv.FormatFloat(given, 'f', -1, 64)
		return text, decimal.MatchString(text)
	}
	number, ok := whole(value)
	return strconv.FormatInt(number, 10), ok && number >= 0
}

func said(value any) string {
	text := fmt.Sprint(value)
	if len(text) > 60 {
		text = text[:60] + "..."
	}
	return "'" + text + "'"
}
