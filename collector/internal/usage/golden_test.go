package usage

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/genops-ai/genops/collector/internal/pricing"
)

const vectors = "../../../spec/vectors/cost/golden.json"

type goldenCase struct {
	ID       string          `json:"id"`
	Provider string          `json:"provider"`
	API      string          `json:"api"`
	Model    string          `json:"model"`
	At       time.Time       `json:"request_time"`
	Response json.RawMessage `json:"response"`
	Request  json.RawMessage `json:"request"`
	Context  struct {
		Processing     string `json:"processing"`
		ServiceTier    string `json:"service_tier"`
		Region         string `json:"region"`
		DeploymentType string `json:"deployment_type"`
	} `json:"context"`
	Config map[string]any `json:"config"`
	Cost   *string        `json:"expected_cost_usd"`
	Status string         `json:"expected_status"`
}

func TestGoldenCasesCostExactlyWhatWasComputedByHand(t *testing.T) {
	text, err := os.ReadFile(vectors)
	require.NoError(t, err)
	var read struct {
		Cases []goldenCase `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(text, &read))
	require.NotEmpty(t, read.Cases)
	for _, each := range read.Cases {
		t.Run(each.ID, func(t *testing.T) {
			price := each.price(t)
			if each.Cost == nil {
				assert.Equal(t, pricing.Unpriced, price.Status)
				return
			}
			want, ok := pricing.ParseAmount(*each.Cost)
			require.True(t, ok)
			assert.Equal(t, want.String(), price.Amount.String(), price.Reason)
			assert.Equal(t, each.Status, price.Status)
		})
	}
}

func (c *goldenCase) price(t *testing.T) pricing.Price {
	response, err := Decode(c.Response)
	require.NoError(t, err)
	var request any
	if c.Request != nil {
		request, err = Decode(c.Request)
		require.NoError(t, err)
	}
	if chunks, ok := get(response, "chunks").([]any); ok {
		response = Collect(c.API, chunks)
	}
	reading, err := Read(c.Provider, c.API, response, request, c.Context.ServiceTier)
	require.NoError(t, err)
	rates, err := pricing.ParseRates(c.Config)
	require.NoError(t, err)
	book, err := pricing.New(rates)
	require.NoError(t, err)
	query := c.query(&reading, request)
	if reading.Usage != nil {
		return book.Price(reading.Usage, &query)
	}
	price := book.Price(&pricing.Usage{}, &query)
	if price.Status != pricing.Free && price.Status != pricing.ProviderReported {
		price.Status = pricing.Unpriced
	}
	return price
}

func (c *goldenCase) query(reading *Reading, request any) pricing.Query {
	query := pricing.Query{
		Provider: c.Provider, At: c.At, RequestModel: c.Model, ResponseModel: reading.ResponseModel,
		Processing: c.Context.Processing, DeploymentType: c.Context.DeploymentType,
	}
	query.Region = first(reading.Region, c.Context.Region, text(get(request, "location")))
	if base, err := url.Parse(text(get(request, "base_url"))); err == nil && base.Hostname() != "" {
		provider, region := ProviderOfHost(base.Hostname())
		query.Provider, query.Region = first(provider, query.Provider), first(query.Region, region)
	}
	query.ServiceTier = strings.ToLower(first(reading.ServiceTier, text(get(request, "service_tier")), text(get(request, "speed"))))
	if reading.Reported != nil {
		query.Reported, query.IsReported = pricing.Exactly(reading.Reported), true
	}
	return query
}

func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
