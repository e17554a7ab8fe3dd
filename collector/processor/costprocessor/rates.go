package costprocessor

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/pricing"
)

// books are the price books in force; replaced as a whole when the rates file changes.
type books struct {
	standard *pricing.Book
	tenants  map[string]*pricing.Book
}

func (b *books) of(tenant string) *pricing.Book {
	if found := b.tenants[tenant]; found != nil {
		return found
	}
	return b.standard
}

func newBooks(config *Config, file []byte) (*books, error) {
	given := maps.Clone(config.Prices)
	if len(file) > 0 {
		var read map[string]any
		decoder := yaml.NewDecoder(bytes.NewReader(file))
		if err := decoder.Decode(&read); err != nil {
			return nil, fmt.Errorf("%s: %s", config.RatesFile, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if given == nil {
			given = map[string]any{}
		}
		maps.Copy(given, read)
	}
	standard, err := newBook(given)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.RatesFile, err)
	}
	made := &books{standard: standard, tenants: map[string]*pricing.Book{}}
	for name, tenant := range config.Tenants {
		if tenant.Prices == nil {
			continue
		}
		if made.tenants[name], err = newBook(tenant.Prices); err != nil {
			return nil, fmt.Errorf("tenants: %s: %w", name, err)
		}
	}
	return made, nil
}

func newBook(given map[string]any) (*pricing.Book, error) {
	rates, err := pricing.ParseRates(given)
	if err != nil {
		return nil, err
	}
	return pricing.New(rates)
}

func readRates(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("rates_file: %w", err)
	}
	return text, nil
}

// newDefaults are the attributions of tenants, by tenant.
func newDefaults(config *Config) map[string]attribution.Attribution {
	made := map[string]attribution.Attribution{}
	for name, tenant := range config.Tenants {
		var own attribution.Attribution
		for field, value := range tenant.Default {
			own.Set(attribution.Field(field), value)
		}
		made[name] = own
	}
	return made
}
