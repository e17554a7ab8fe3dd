package pricing

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type agreementCase struct {
	Provider       string                     `json:"provider"`
	RequestModel   string                     `json:"request_model"`
	ResponseModel  string                     `json:"response_model"`
	Usage          map[string]json.RawMessage `json:"usage"`
	At             time.Time                  `json:"at"`
	ServiceTier    string                     `json:"service_tier"`
	Processing     string                     `json:"processing"`
	Region         string                     `json:"region"`
	DeploymentType string                     `json:"deployment_type"`
	Reported       string                     `json:"reported_cost"`
	Estimated      bool                       `json:"estimated"`
	Rates          int                        `json:"rates"`
	Expect         expectation                `json:"expect"`
}

type expectation struct {
	Status  string   `json:"status"`
	Source  string   `json:"source"`
	Amount  string   `json:"amount"`
	List    string   `json:"list"`
	Missing []string `json:"missing"`
	Reason  string   `json:"reason"`
}

func TestGoAndPythonAgreeOnEveryModelOfTheBook(t *testing.T) {
	text, err := os.ReadFile("../../../spec/vectors/cost/agreement.json")
	require.NoError(t, err)
	var read struct {
		Rates []map[string]any `json:"rates"`
		Cases []agreementCase  `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(text, &read))
	require.Greater(t, len(read.Cases), 2000)
	var books []*Book
	for _, given := range read.Rates {
		rates, err := ParseRates(whole(given).(map[string]any))
		require.NoError(t, err)
		book, err := New(rates)
		require.NoError(t, err)
		books = append(books, book)
	}
	for i := range read.Cases {
		each := &read.Cases[i]
		assert.Equal(t, each.Expect, each.got(t, books[each.Rates]), "case %d: %+v", i, each)
	}
}

// whole turns the doubles of encoding/json into the integers that YAML would give.
func whole(value any) any {
	switch given := value.(type) {
	case float64:
		return int(given)
	case []any:
		for i := range given {
			given[i] = whole(given[i])
		}
	case map[string]any:
		for name := range given {
			given[name] = whole(given[name])
		}
	}
	return value
}

func (c *agreementCase) got(t *testing.T, book *Book) expectation {
	usage := NewUsage()
	usage.Estimated = c.Estimated
	for meter, raw := range c.Usage {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		quantity, ok := Decimal(text)
		require.True(t, ok)
		usage.Set(meter, quantity)
	}
	query := Query{
		Provider: c.Provider, At: c.At, RequestModel: c.RequestModel, ResponseModel: c.ResponseModel,
		ServiceTier: c.ServiceTier, Processing: c.Processing, Region: c.Region, DeploymentType: c.DeploymentType,
	}
	query.Reported, query.IsReported = Decimal(c.Reported)
	price := book.Price(&usage, &query)
	assert.Equal(t, price, withoutLines(book.Explain(&usage, &query)), "the quick way and the general one differ")
	if price.Status == Unpriced {
		if len(c.Usage) > 1 && c.Expect.Reason != price.Reason {
			return expectation{Status: Unpriced, Reason: sortedReason(price.Reason, c.Expect.Reason)}
		}
		return expectation{Status: Unpriced, Reason: price.Reason}
	}
	found := expectation{Status: price.Status, Source: price.Source, Amount: price.Amount.String()}
	if price.HasList {
		found.List = price.List.String()
	}
	found.Missing = inOrderOf(price.Missing, c.Expect.Missing)
	return found
}

func withoutLines(price Price) Price {
	price.Lines = nil
	return price
}

// JSON objects have no order in Go, so the missing meters come in any.
func inOrderOf(found, wanted []string) []string {
	a, b := slices.Sorted(slices.Values(found)), slices.Sorted(slices.Values(wanted))
	if slices.Equal(a, b) {
		return wanted
	}
	return found
}

func sortedReason(found, wanted string) string {
	letters := func(text string) string { return fmt.Sprint(slices.Sorted(slices.Values([]byte(text)))) }
	if letters(found) == letters(wanted) {
		return wanted
	}
	return found
}
