package decision

import (
	"context"
	"crypto/sha256"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const mostClients = 10_000

const tooMany = "this client asks too often.  fix: wait a second and try again, or raise rate_limit of genops_decision"

// limiter keeps a bucket of tokens for each client: a certificate, a token of authentication, or else an address.
type limiter struct {
	config RateLimitConfig
	clock  func() time.Time

	mu      sync.Mutex
	clients map[clientID]*bucket
}

type clientID [sha256.Size]byte

type bucket struct {
	left float64
	at   time.Time
}

func newLimiter(config RateLimitConfig) *limiter {
	return &limiter{config: config, clock: time.Now, clients: map[clientID]*bucket{}}
}

func (l *limiter) allow(who clientID) bool {
	if l.config.PerSecond == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, most := l.clock(), float64(l.config.Burst)
	found := l.clients[who]
	if found == nil {
		if len(l.clients) >= mostClients {
			l.forget(now)
		}
		found = &bucket{most, now}
		l.clients[who] = found
	}
	found.left = min(most, found.left+now.Sub(found.at).Seconds()*l.config.PerSecond)
	found.at = now
	if found.left < 1 {
		return false
	}
	found.left--
	return true
}

// forget makes room: clients whose buckets are full again are as good as new ones, then any.
func (l *limiter) forget(now time.Time) {
	full := time.Duration(float64(l.config.Burst) / l.config.PerSecond * float64(time.Second))
	for who, found := range l.clients {
		if now.Sub(found.at) >= full {
			delete(l.clients, who)
		}
	}
	for who := range l.clients {
		if len(l.clients) < mostClients {
			return
		}
		delete(l.clients, who)
	}
}

func named(certificate []byte, token, address string) clientID {
	switch {
	case certificate != nil:
		return sha256.Sum256(append([]byte("certificate "), certificate...))
	case token != "":
		return sha256.Sum256([]byte("token " + token))
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	return sha256.Sum256([]byte("address " + address))
}

// handler stands behind the authentication, so tokens are those that were found right.
func (l *limiter) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var certificate []byte
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			certificate = r.TLS.PeerCertificates[0].Raw
		}
		if l.allow(named(certificate, r.Header.Get("Authorization"), r.RemoteAddr)) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "1")
		writeError(w, status.Error(codes.ResourceExhausted, tooMany))
	})
}

func (l *limiter) unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	var certificate []byte
	var token, address string
	if caller, ok := peer.FromContext(ctx); ok {
		address = caller.Addr.String()
		if info, ok := caller.AuthInfo.(credentials.TLSInfo); ok && len(info.State.PeerCertificates) > 0 {
			certificate = info.State.PeerCertificates[0].Raw
		}
	}
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) > 0 {
		token = values[0]
	}
	if !l.allow(named(certificate, token, address)) {
		return nil, status.Error(codes.ResourceExhausted, tooMany)
	}
	return next(ctx, request)
}
