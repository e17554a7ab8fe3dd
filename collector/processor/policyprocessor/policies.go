package policyprocessor

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/genops-ai/genops/collector/internal/attribution"
	"github.com/genops-ai/genops/collector/internal/policy"
)

const (
	mostKinds           = 4096 // kinds of calls of which what was decided is kept, for each tenant
	attributionInvalid  = "x_attribution_invalid"
	attributionRuleName = "attribution."
)

// policies are what is in force; replaced as a whole when a file changes.
type policies struct {
	standard *ruled
	tenants  map[string]*ruled
	sources  []policy.Source // of all, to see what has changed
}

func (p *policies) of(tenant string) *ruled {
	if found := p.tenants[tenant]; found != nil {
		return found
	}
	return p.standard
}

// ruled is what calls of one tenant are decided by.
type ruled struct {
	set    *policy.Set // nil without policy files
	rules  *attribution.Rules
	keyed  []int // the inputs that tell kinds of calls apart
	fields []int // the fields of the attribution that have a rule

	mu    sync.RWMutex
	kinds map[string]*kind
}

// kind is what was decided about calls of one kind for one payer.
type kind struct {
	scope  *policy.Scope // nil without policy files
	broken []policy.Violation
	joined *policy.Decision // what is settled, with the broken rules on the attribution; nil if nothing is
}

func load(config *Config) (*policies, error) {
	made := &policies{tenants: map[string]*ruled{}}
	var err error
	if made.standard, err = made.ruled(config.PolicyFiles, config.Attribution.Rules, config); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(config.Tenants)) {
		own := config.Tenants[name]
		files, rules := own.PolicyFiles, own.Rules
		if files == nil {
			files = config.PolicyFiles
		}
		if rules == nil {
			rules = config.Attribution.Rules
		}
		if made.tenants[name], err = made.ruled(files, rules, config); err != nil {
			return nil, fmt.Errorf("tenants: %s: %w", name, err)
		}
	}
	return made, nil
}

func (p *policies) ruled(files []string, rules map[string]attribution.Rule, config *Config) (*ruled, error) {
	made := &ruled{kinds: map[string]*kind{}}
	var err error
	if made.rules, err = attribution.NewRules(rules); err != nil {
		return nil, fmt.Errorf("attribution: rules: %w", err)
	}
	for field, name := range attribution.Fields {
		if _, ok := rules[name]; ok {
			made.fields = append(made.fields, field)
		}
	}
	if len(files) == 0 {
		return made, nil
	}
	sources, err := policy.Read(files)
	if err != nil {
		return nil, err
	}
	p.sources = append(p.sources, sources...)
	if made.set, err = policy.Load(sources, config.TrustedKeys); err != nil {
		return nil, err
	}
	made.keyed = made.set.Keyed()
	return made, nil
}

// read are the sources of all policy files as they are on disk.
func read(config *Config) ([]policy.Source, error) {
	var found []policy.Source
	patterns := [][]string{config.PolicyFiles}
	for _, name := range slices.Sorted(maps.Keys(config.Tenants)) {
		files := config.Tenants[name].PolicyFiles
		if files == nil {
			files = config.PolicyFiles
		}
		patterns = append(patterns, files)
	}
	for _, each := range patterns {
		sources, err := policy.Read(each)
		if err != nil {
			return nil, err
		}
		found = append(found, sources...)
	}
	return found, nil
}

// kindOf is the kind of a call, made at its first.
func (r *ruled) kindOf(call *call) *kind {
	key := call.key(r)
	r.mu.RLock()
	found := r.kinds[string(key)]
	r.mu.RUnlock()
	if found != nil {
		return found
	}
	made := r.newKind(call)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kinds) >= mostKinds {
		clear(r.kinds)
	}
	r.kinds[string(key)] = made
	return made
}

func (r *ruled) newKind(call *call) *kind {
	made := &kind{}
	for _, broken := range r.rules.Check(&call.who) {
		result := policy.Warning
		if broken.Blocking {
			result = policy.Blocked
		}
		made.broken = append(made.broken, policy.Violation{
			Rule: attributionRuleName + broken.Field, ReasonCode: attributionInvalid, Message: broken.Message, Result: result,
		})
	}
	settled := &policy.Decision{}
	if r.set != nil {
		var static policy.Known
		for _, number := range r.keyed {
			static[number] = call.static(number)
		}
		made.scope = r.set.Scope(&static)
		settled = made.scope.Settled()
	}
	if settled != nil {
		made.joined = settled.After(made.broken)
	}
	return made
}

// decide is the decision on a call of the kind.
func (k *kind) decide(call *call) *policy.Decision {
	if k.scope == nil {
		return k.joined
	}
	found := k.scope.Decide(call, call.at)
	switch {
	case found == k.scope.Settled():
		return k.joined
	case len(k.broken) == 0:
		return found
	}
	return found.After(k.broken)
}
