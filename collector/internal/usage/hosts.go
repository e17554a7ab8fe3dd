package usage

import (
	"strings"
	"sync"

	"github.com/genops-ai/genops/collector/internal/globs"
)

type host struct {
	pattern, provider, region string
}

// hosts are the patterns in their order: the first that fits counts.
func (d *document) hosts() []host {
	found := make([]host, 0, len(d.Hosts))
	for _, each := range d.Hosts {
		known := host{pattern: each.name, provider: text(each.value[0])}
		known.region = text(each.value[1])
		found = append(found, known)
	}
	return found
}

const (
	mostHosts   = 1024 // whose answers are kept
	longestHost = 255  // of the domain name system
)

type answer struct{ provider, region string }

// asked are the answers for hosts that were asked for before.
var asked = struct {
	sync.RWMutex
	answers map[string]answer
}{answers: map[string]answer{}}

// ProviderOfHost is who sends the bill for calls to host and the region it stands for; "" where it does not say.
func ProviderOfHost(name string) (provider, region string) {
	asked.RLock()
	found, known := asked.answers[name]
	asked.RUnlock()
	if known {
		return found.provider, found.region
	}
	if len(name) > longestHost {
		return providerOfHost(name)
	}
	name = strings.Clone(name) // a text of its own: that of a span is part of a whole batch
	provider, region = providerOfHost(name)
	asked.Lock()
	defer asked.Unlock()
	if len(asked.answers) >= mostHosts {
		clear(asked.answers)
	}
	asked.answers[name] = answer{provider, region}
	return provider, region
}

func providerOfHost(name string) (provider, region string) {
	known, err := shapes()
	if err != nil {
		return "", ""
	}
	for _, each := range known.hosts {
		if !globs.Match(each.pattern, name) {
			continue
		}
		region := each.region
		switch {
		case region != "":
		case each.provider == "gcp.vertex_ai":
			region = strings.TrimSuffix(name, "-aiplatform.googleapis.com")
		case each.provider == "aws.bedrock":
			_, after, _ := strings.Cut(name, ".")
			region, _, _ = strings.Cut(after, ".")
		}
		return each.provider, region
	}
	return "", ""
}
