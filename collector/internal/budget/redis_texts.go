package budget

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// asTexts are the legs, their limits and the names of their counters.
func (p *Plan) asTexts() (legs, limits string, keys []string) {
	p.texts.once.Do(func() {
		words := make([]string, len(p.Legs))
		for place := range p.Legs {
			kind := "s"
			if p.Legs[place].Hard {
				kind = "h"
			}
			words[place] = kind + strconv.FormatInt(p.Legs[place].Limit, 10)
		}
		p.texts.legs, p.texts.limits, p.texts.keys = textOf(p.Legs), strings.Join(words, " "), keysOf(p.Legs)
	})
	return p.texts.legs, p.texts.limits, p.texts.keys
}

func keysOf(legs []Leg) []string {
	var found []string
	for place := range legs {
		found = append(append(found, legs[place].Key), legs[place].Also...)
	}
	return found
}

// textOf is the legs as JSON: [[key, unit, [threshold, ...], [older key, ...], kept until], ...].
func textOf(legs []Leg) string {
	rows := make([][5]any, len(legs))
	for place := range legs {
		leg := &legs[place]
		thresholds, also := make([]string, len(leg.Thresholds)), leg.Also
		for i, threshold := range leg.Thresholds {
			thresholds[i] = strconv.FormatInt(threshold, 10)
		}
		if also == nil {
			also = []string{}
		}
		rows[place] = [5]any{leg.Key, leg.Unit, thresholds, also, keptUntil(leg, countersKept)}
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(rows)
	return strings.TrimSuffix(text.String(), "\n")
}

// legsOf is what textOf made; the limits are 0. The end is that of the counter's keeping.
func legsOf(text string) ([]Leg, error) {
	var raw [][]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, err
	}
	found := make([]Leg, len(raw))
	for place, parts := range raw {
		if len(parts) != 5 {
			return nil, errors.New("a reservation has other legs")
		}
		leg := &found[place]
		var thresholds []string
		for i, into := range []any{&leg.Key, &leg.Unit, &thresholds} {
			if err := json.Unmarshal(parts[i], into); err != nil {
				return nil, err
			}
		}
		_ = json.Unmarshal(parts[3], &leg.Also) // an empty one comes back as a mapping if Lua wrote it
		if err := json.Unmarshal(parts[4], &leg.End); err != nil {
			return nil, err
		}
		leg.HasEnd = leg.End != 0
		for _, threshold := range thresholds {
			leg.Thresholds = append(leg.Thresholds, number64([]string{threshold}, 0))
		}
	}
	return found, nil
}

func seconds6(moment float64) string { return strconv.FormatFloat(moment, 'f', 6, 64) }

func numbers(given []int64) string {
	var text []byte
	for place, each := range given {
		if place > 0 {
			text = append(text, ' ')
		}
		text = strconv.AppendInt(text, each, 10)
	}
	return string(text)
}

func numbersOf(text string) []int64 {
	var found []int64
	for word := range strings.FieldsSeq(text) {
		number, _ := strconv.ParseInt(word, 10, 64)
		found = append(found, number)
	}
	return found
}

func at(parts []string, place int) string {
	if place < len(parts) {
		return parts[place]
	}
	return ""
}

func number64(parts []string, place int) int64 {
	number, _ := strconv.ParseInt(at(parts, place), 10, 64)
	return number
}

func crossingsOf(parts []string) []Crossing {
	var found []Crossing
	for ; len(parts) >= 3; parts = parts[3:] {
		found = append(found, Crossing{parts[0], int(number64(parts, 1)), number64(parts, 2)})
	}
	return found
}
