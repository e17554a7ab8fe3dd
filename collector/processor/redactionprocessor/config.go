package redactionprocessor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/genops-ai/genops/collector/internal/redaction"
	"github.com/genops-ai/genops/collector/internal/suggest"
)

// Config is what a user writes under `genops_redaction`.
type Config struct {
	// Scan is `all` (every text but those of IgnoreKeys) or `content` (attributes known to hold prompts and answers,
	// ContentKeys, bodies and status texts). With `content`, what an attribute of another name holds passes as it is.
	Scan string `mapstructure:"scan"`
	// ContentKeys are patterns of more attributes to look at with `scan: content`. A name that is missing here is one
	// whose content passes.
	ContentKeys []string `mapstructure:"content_keys"`
	// IgnoreKeys are patterns of attributes that are never looked at: identifiers, which can look like keys. They take
	// the place of the defaults. A pattern that is too wide lets content pass.
	IgnoreKeys []string `mapstructure:"ignore_keys"`
	// AllowKeys are patterns of the attributes that may have a value at all; any other value is replaced whole. Empty
	// allows all. A name that is missing here loses its value for good.
	AllowKeys []string `mapstructure:"allow_keys"`
	// DenyKeys are patterns of attributes whose value is replaced whole, whatever the other keys say.
	DenyKeys []string `mapstructure:"deny_keys"`
	// Actions say what happens to a find, by entity (EMAIL) or kind (personal, secret): label, mask, hash, drop, block
	// (as label: the call was made already) or allow. With `allow` a find passes and is not counted.
	Actions map[string]string `mapstructure:"actions"`
	// HashKey is the key of the action hash, of 16 bytes or more. Another key gives other hashes, so records of before
	// and after cannot be joined.
	HashKey configopaque.String `mapstructure:"hash_key"`
	// HashKeyFile is a file with the key, read at start. One that cannot be read stops the Collector.
	HashKeyFile string `mapstructure:"hash_key_file"`
	// Custom are patterns of your own, as in genops.yaml. One that is too wide takes too much away.
	Custom []CustomRule `mapstructure:"custom"`
	// SpanNames is whether the names of spans are looked at. Without it a name with a value in it passes.
	SpanNames bool `mapstructure:"span_names"`
	// MaxValueBytes is how long a value may be that is looked through as a whole; TooLarge says what becomes of others.
	MaxValueBytes int `mapstructure:"max_value_bytes"`
	// TooLarge is `cut` (the first part is redacted and kept, the rest is gone) or `replace` (all of it is gone).
	TooLarge string `mapstructure:"too_large"`
	// Summary puts genops.redaction.count and .entities on the spans and log records in which something was found.
	Summary bool `mapstructure:"summary"`

	_ struct{}
}

// CustomRule is a pattern of the user's own.
type CustomRule struct {
	// Name is what a find is called.
	Name string `mapstructure:"name"`
	// Pattern is RE2.
	Pattern string `mapstructure:"pattern"`
	// Near and Unless are words before a find that it needs, or that forbid it.
	Near   []string `mapstructure:"near"`
	Unless []string `mapstructure:"unless"`
	// Validate and Boundary are checks of spec/redaction.
	Validate string `mapstructure:"validate"`
	Boundary string `mapstructure:"boundary"`
}

const (
	scanAll     = "all"
	scanContent = "content"
	cut         = "cut"
	replace     = "replace"

	defaultMaxValueBytes = 256 << 10
	leastMaxValueBytes   = 4 << 10
	leastKeyBytes        = 16
)

func createDefaultConfig() component.Config {
	return &Config{
		Scan: scanAll, IgnoreKeys: slices.Clone(identifiers), SpanNames: true, MaxValueBytes: defaultMaxValueBytes,
		TooLarge: cut, Summary: true,
	}
}

// Validate names the first setting that cannot work, and what to write in its place.
func (c *Config) Validate() error {
	if err := oneOf("scan", c.Scan, scanAll, scanContent); err != nil {
		return err
	}
	if err := oneOf("too_large", c.TooLarge, cut, replace); err != nil {
		return err
	}
	if c.MaxValueBytes < leastMaxValueBytes {
		return fmt.Errorf("max_value_bytes is %d, less than a long secret.  fix: max_value_bytes: %d or more",
			c.MaxValueBytes, leastMaxValueBytes)
	}
	if c.HashKey != "" && c.HashKeyFile != "" {
		return errors.New("hash_key and hash_key_file are both set.  fix: leave one of them out")
	}
	if c.HashKey != "" && len(c.HashKey) < leastKeyBytes {
		return fmt.Errorf("hash_key has %d bytes, and 16 are the least.  fix: openssl rand -hex 16", len(c.HashKey))
	}
	for i, rule := range c.Custom {
		if rule.Name == "" || rule.Pattern == "" {
			return fmt.Errorf("custom: entry %d has no name or no pattern.  fix: {name: TICKET, pattern: '\\bTCK-[0-9]{6}\\b'}", i+1)
		}
	}
	key := []byte(c.HashKey)
	if c.HashKeyFile != "" {
		key = make([]byte, leastKeyBytes) // the file is read at start
	}
	_, err := c.redactor(key)
	return err
}

func oneOf(key, value string, known ...string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("%s: '%s' is none.%s  fix: use one of %s", key, value, suggest.DidYouMean(value, known),
		strings.Join(known, ", "))
}

func (c *Config) key() ([]byte, error) {
	if c.HashKeyFile == "" {
		return []byte(c.HashKey), nil
	}
	read, err := os.ReadFile(c.HashKeyFile)
	if err != nil {
		return nil, fmt.Errorf("hash_key_file: %w", err)
	}
	key := bytes.TrimSpace(read)
	if len(key) < leastKeyBytes {
		return nil, fmt.Errorf("hash_key_file: %s has %d bytes, and 16 are the least.  fix: openssl rand -hex 16 > %s",
			c.HashKeyFile, len(key), c.HashKeyFile)
	}
	return key, nil
}

func (c *Config) redactor(key []byte) (*redaction.Redactor, error) {
	options := redaction.Options{Actions: c.Actions, Key: key}
	for _, rule := range c.Custom {
		options.Custom = append(options.Custom, redaction.Rule{
			ID: rule.Name, Entity: rule.Name, Pattern: rule.Pattern, Near: rule.Near, Unless: rule.Unless,
			Validate: rule.Validate, Boundary: rule.Boundary,
		})
	}
	return redaction.New(options)
}
