package attribution

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/genops-ai/genops/collector/internal/names"
	"github.com/genops-ai/genops/collector/internal/suggest"
)

// Config says where the attribution of a call comes from. Lowest to highest: `default`, what the resource implies
// (service.name, service.namespace, deployment.environment.name), genops.* on the resource, `from_baggage`,
// `from_metadata`, other attributes of the span (`from_attributes`), genops.* on the span, `from_auth`.
type Config struct {
	// Default is the value of a field that nobody states. A wrong one attributes other people's calls.
	Default map[string]string `mapstructure:"default"`
	// FromAttributes maps a field to attributes of the span that say it, the first that is there.
	FromAttributes map[string][]string `mapstructure:"from_attributes"`
	// FromBaggage lists the fields taken from the `baggage` header; the receiver must have include_metadata: true.
	FromBaggage []string `mapstructure:"from_baggage"`
	// FromMetadata maps a field to the header that says it; without include_metadata: true it is never there.
	FromMetadata map[string]string `mapstructure:"from_metadata"`
	// FromAuth maps a field to an attribute of the authentication result. It goes before what a span claims; behind a
	// persistent queue it is gone, so it must be read in the first pipeline.
	FromAuth map[string]string `mapstructure:"from_auth"`
}

// DefaultFromAttributes are names that others use for the same facts.
func DefaultFromAttributes() map[string][]string {
	found := map[string][]string{}
	for _, name := range Fields {
		found[name] = []string{"traceloop.association.properties." + name}
	}
	found["session_id"] = append(found["session_id"], "gen_ai.conversation.id", "session.id")
	return found
}

// Validate names the first field that is none.
func (c *Config) Validate() error {
	var fields []string
	for name := range c.Default {
		fields = append(fields, name)
	}
	for name := range c.FromAttributes {
		fields = append(fields, name)
	}
	for name := range c.FromMetadata {
		fields = append(fields, name)
	}
	for name := range c.FromAuth {
		fields = append(fields, name)
	}
	fields = append(fields, c.FromBaggage...)
	slices.Sort(fields)
	for _, name := range fields {
		if Field(name) < 0 {
			return fmt.Errorf("attribution: '%s' is no field.%s  fix: use %s", name,
				suggest.DidYouMean(name, Fields[:]), strings.Join(Fields[:], ", "))
		}
	}
	for field, value := range c.Default {
		if Field(field) < required && IsPlaceholder(value) {
			return fmt.Errorf("attribution: default: %s is '%s', a placeholder.  fix: leave it out", field, value)
		}
	}
	return nil
}

// Resolver resolves attributions by one configuration. It is safe for concurrent use.
type Resolver struct {
	fallback   Attribution
	names      *names.Table[[]namedField]
	baggage    [count]bool
	metadata   [count]string
	auth       [count]string
	hasBaggage bool
}

// NewResolver compiles a configuration that is valid.
func NewResolver(config *Config) *Resolver {
	made := &Resolver{}
	named := map[string][]namedField{}
	for field, name := range Attributes {
		named[name] = append(named[name], namedField{field, own})
	}
	for name, value := range config.Default {
		made.fallback.Set(Field(name), value)
	}
	for name, attributes := range config.FromAttributes {
		for rank, attribute := range attributes {
			named[attribute] = append(named[attribute], namedField{Field(name), rank})
		}
	}
	made.names = names.New(named)
	for _, name := range config.FromBaggage {
		made.baggage[Field(name)], made.hasBaggage = true, true
	}
	for name, header := range config.FromMetadata {
		made.metadata[Field(name)] = header
	}
	for name, attribute := range config.FromAuth {
		made.auth[Field(name)] = attribute
	}
	return made
}

// Caller is what is known of who sent a batch, read once for all of it.
type Caller struct{ said, proved Attribution }

// Caller reads headers, baggage and the authentication result.
func (r *Resolver) Caller(ctx context.Context) Caller {
	info := client.FromContext(ctx)
	var found Caller
	if r.hasBaggage {
		for _, header := range info.Metadata.Get("baggage") {
			r.readBaggage(&found.said, header)
		}
	}
	for field, header := range r.metadata {
		if header == "" {
			continue
		}
		if values := info.Metadata.Get(header); len(values) > 0 {
			found.said.Set(field, values[0])
		}
	}
	for field, name := range r.auth {
		if name != "" && info.Auth != nil {
			if text, ok := info.Auth.GetAttribute(name).(string); ok {
				found.proved.Set(field, text)
			}
		}
	}
	return found
}

// The most of a header that is read: W3C baggage guarantees 8192 bytes for all entries together.
const longestBaggage = 8192

func (r *Resolver) readBaggage(into *Attribution, header string) {
	if len(header) > longestBaggage {
		return
	}
	for member := range strings.SplitSeq(header, ",") {
		member, _, _ = strings.Cut(member, ";")
		name, value, found := strings.Cut(member, "=")
		if !found {
			continue
		}
		field := slices.Index(Attributes[:], strings.TrimSpace(name))
		if text, err := url.PathUnescape(strings.TrimSpace(value)); err == nil && field >= 0 && r.baggage[field] {
			into.Set(field, text)
		}
	}
}

// Under is what holds for every span of a resource: defaults, the resource, and what the caller said.
func (r *Resolver) Under(resource pcommon.Map, caller *Caller) Attribution {
	found := r.fallback
	found.implied(resource)
	found.lay(resource, Attributes)
	for field, value := range caller.said {
		if value != "" {
			found[field] = value
		}
	}
	return found
}

// namedField is a field that an attribute says, and how many other names of it go before.
type namedField struct{ field, rank int }

const own = -1 // the rank of genops.*, which goes over every other name

// Statement is what a span says by itself, as its attributes are taken one after the other.
type Statement struct {
	stated Attribution
	others [count]pcommon.Value
	ranks  [count]int // one more than the rank of what was found
}

// Take reads one attribute of a span; key is that of its name.
func (r *Resolver) Take(into *Statement, key names.Key, name string, value pcommon.Value) {
	known := r.names.Get(key, name)
	if known == nil {
		return
	}
	for _, each := range *known {
		if each.rank == own {
			into.stated.Set(each.field, textOf(value))
		} else if into.ranks[each.field] == 0 || each.rank+1 < into.ranks[each.field] {
			into.others[each.field], into.ranks[each.field] = value, each.rank+1
		}
	}
}

// Lay lays what a span says over what holds for its resource, and what the caller proved over both. Of several other
// names of a field, the first that is there counts.
func (r *Resolver) Lay(under Attribution, span *Statement, caller *Caller) Attribution {
	for field := range span.others {
		if span.ranks[field] > 0 && span.stated[field] == "" {
			under.Set(field, textOf(span.others[field]))
		}
	}
	return r.Stated(under, &span.stated, caller)
}

// Span is Lay for a span that is looked through for this alone.
func (r *Resolver) Span(under Attribution, span pcommon.Map, caller *Caller) Attribution {
	var stated Statement
	for name, value := range span.All() {
		r.Take(&stated, names.KeyOf(name), name, value)
	}
	return r.Lay(under, &stated, caller)
}

// Stated is Span for a span whose genops.* attributes were read already.
func (r *Resolver) Stated(under Attribution, stated *Attribution, caller *Caller) Attribution {
	for field, value := range stated {
		if value != "" {
			under[field] = value
		}
	}
	for field, value := range caller.proved {
		if value != "" {
			under[field] = value
		}
	}
	return under
}

// implied is what a resource says in OpenTelemetry's own names. An SDK names a service it knows nothing of
// "unknown_service...".
func (a *Attribution) implied(resource pcommon.Map) {
	for _, each := range [...]struct {
		name  string
		field int
	}{
		{"service.name", Project}, {"service.namespace", Team},
		{"deployment.environment", Environment}, {"deployment.environment.name", Environment},
	} {
		if value, ok := resource.Get(each.name); ok && !strings.HasPrefix(value.Str(), "unknown_service") {
			a.Set(each.field, value.Str())
		}
	}
}
