package attribution

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

type proof map[string]any

func (p proof) GetAttribute(name string) any { return p[name] }
func (p proof) GetAttributeNames() []string  { return nil }

func TestEachSourceGoesOverThoseBelowIt(t *testing.T) {
	config := &Config{
		Default:        map[string]string{"team": "nobody", "feature": "web"},
		FromAttributes: DefaultFromAttributes(),
		FromBaggage:    []string{"customer_id"},
		FromMetadata:   map[string]string{"cost_center": "x-cost-center"},
		FromAuth:       map[string]string{"customer_id": "subject"},
	}
	require.NoError(t, config.Validate())
	resolver := NewResolver(config)
	resource, span := pcommon.NewMap(), pcommon.NewMap()
	resource.PutStr("service.name", "shop")
	resource.PutStr("service.namespace", "search")
	resource.PutStr("deployment.environment.name", "production")
	resource.PutStr("genops.project", "checkout")
	span.PutStr("traceloop.association.properties.feature", "chat")
	span.PutStr("gen_ai.conversation.id", "c-1")
	span.PutStr("genops.customer_id", "claims-to-be-big")
	metadata := map[string][]string{
		"baggage":       {"genops.customer_id=acme%20inc;p=1,genops.team=evil"},
		"x-cost-center": {"cc-1"},
	}
	ctx := client.NewContext(context.Background(), client.Info{Metadata: client.NewMetadata(metadata)})

	caller := resolver.Caller(ctx)
	got := resolver.Span(resolver.Under(resource, &caller), span, &caller)

	assert.Equal(t, Attribution{"search", "checkout", "production", "claims-to-be-big", "cc-1", "chat", "c-1"}, got)

	ctx = client.NewContext(ctx, client.Info{Auth: proof{"subject": "acme"}})
	caller = resolver.Caller(ctx)
	got = resolver.Span(resolver.Under(resource, &caller), span, &caller)

	assert.Equal(t, "acme", got[CustomerID], "what the caller proved goes before what the span claims")
}

func TestConfigNamesTheFieldThatIsNone(t *testing.T) {
	for name, config := range map[string]*Config{
		"default":         {Default: map[string]string{"teem": "x"}},
		"from_attributes": {FromAttributes: map[string][]string{"teem": {"x"}}},
		"from_baggage":    {FromBaggage: []string{"teem"}},
		"from_metadata":   {FromMetadata: map[string]string{"teem": "x"}},
		"from_auth":       {FromAuth: map[string]string{"teem": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.ErrorContains(t, config.Validate(), "'teem' is no field. Did you mean 'team'?")
		})
	}
	assert.ErrorContains(t, (&Config{Default: map[string]string{"team": "unknown"}}).Validate(), "placeholder")
}

func FuzzBaggage(f *testing.F) {
	f.Add("genops.team=a,genops.customer_id=%zz;x=1,,=")
	resolver := NewResolver(&Config{FromBaggage: Fields[:]})
	f.Fuzz(func(t *testing.T, header string) {
		var found Attribution
		resolver.readBaggage(&found, header)
	})
}

func TestAPlaceholderIsKnownInAnyCase(t *testing.T) {
	for word := range placeholders {
		for _, written := range []string{word, strings.ToUpper(word), " " + word + "\t", strings.ReplaceAll(word, "k", "\u212a")} {
			assert.True(t, IsPlaceholder(written), written)
		}
		assert.False(t, IsPlaceholder(word+"s"), word)
	}
	assert.False(t, IsPlaceholder(""))
	assert.False(t, IsPlaceholder(strings.Repeat("unknown", 10)))
}
