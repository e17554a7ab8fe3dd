package redactionprocessor

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/genops-ai/genops/collector/internal/genai"
	"github.com/genops-ai/genops/collector/internal/globs"
	"github.com/genops-ai/genops/collector/internal/names"
)

// identifiers are names, numbers and identifiers: never content. Hexadecimal ids look like keys.
var identifiers = []string{
	"genops.*", "service.*", "server.*", "telemetry.*", "otel.scope.*", "otel.library.*", "otel.status_code", "error.type",
	"code.function*", "code.filepath", "code.file.path", "code.lineno", "code.line.number", "code.namespace", "thread.*",
	"process.pid", "process.parent_pid", "process.runtime.*", "process.executable.*", "network.*",
	"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model", "gen_ai.response.id",
	"gen_ai.response.model", "gen_ai.response.finish_reasons", "gen_ai.usage.*", "http.request.method",
	"http.response.status_code", "rpc.system", "rpc.service", "rpc.method", "trace_id", "span_id",
}

// verdict is what happens to an attribute, by its name alone.
type verdict uint8

const (
	look verdict = iota
	pass
	deny
)

const mostKeys = 4096 // names whose verdict is remembered; that of others is found each time

// keys decide by the names of attributes. A name is decided once; looking it up costs no memory.
type keys struct {
	content, ignore, allow, deny []string
	mu                           sync.Mutex
	known                        atomic.Pointer[map[string]verdict]
}

func newKeys(config *Config) *keys {
	made := &keys{ignore: config.IgnoreKeys, allow: config.AllowKeys, deny: config.DenyKeys}
	if config.Scan == scanContent {
		made.content = append(genai.ContentKeys(), config.ContentKeys...)
	}
	made.known.Store(&map[string]verdict{})
	return made
}

func (k *keys) of(name string) verdict {
	known := *k.known.Load()
	if found, ok := known[name]; ok {
		return found
	}
	found := k.decide(name)
	if len(known) < mostKeys {
		k.remember(name, found)
	}
	return found
}

func (k *keys) remember(name string, found verdict) {
	k.mu.Lock()
	defer k.mu.Unlock()
	more := maps.Clone(*k.known.Load())
	more[strings.Clone(name)] = found // a name of its own: that of a span is a part of a whole batch
	k.known.Store(&more)
}

// recent are the verdicts on the names that a worker met last, by their keys: most names come again with every span.
type recent [256]struct {
	name    []byte
	verdict verdict
}

func (r *recent) of(name string, by *keys) verdict {
	last := &r[names.KeyOf(name)]
	if name == "" || string(last.name) != name {
		last.name, last.verdict = append(last.name[:0], name...), by.of(name)
	}
	return last.verdict
}

func (k *keys) decide(name string) verdict {
	matches := func(pattern string) bool { return globs.Match(pattern, name) }
	switch {
	case slices.ContainsFunc(k.deny, matches):
		return deny
	case len(k.allow) > 0 && !slices.ContainsFunc(k.allow, matches):
		return deny
	case slices.ContainsFunc(k.ignore, matches):
		return pass
	case k.content != nil && !slices.ContainsFunc(k.content, matches):
		return pass
	}
	return look
}
