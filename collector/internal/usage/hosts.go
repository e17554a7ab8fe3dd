package usage

import (
	"strings"

	"github.com/genops-ai/genops/collector/internal/globs"
	"github.com/genops-ai/genops/collector/internal/memo"
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

// ProviderOfHost is who sends the bill for calls to host and the region it stands for; "" where it does not say.
func ProviderOfHost(name string) (provider, region string) {
	found := billers.Get(name)
	return found.provider, found.region
}

type biller struct{ provider, region string }

var billers = memo.New(billerAt)

func billerAt(name string) biller {
	known, err := shapes()
	if err != nil {
		return biller{}
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
		return biller{each.provider, region}
	}
	return biller{}
}
