package budget

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// connect reads a URL and makes a client for it.
func connect(address string, timeout time.Duration) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	fail := func(err error) error {
		return fmt.Errorf("'%s' is no URL of a budget store: %w.  fix: redis://host:6379/0", withoutPassword(address), err)
	}
	switch scheme {
	case "redis", "rediss", "unix":
		options, err := redis.ParseURL(address)
		if err != nil {
			return nil, fail(errors.New("it cannot be read"))
		}
		options.DialTimeout, options.ReadTimeout, options.WriteTimeout = timeout, timeout, timeout
		options.MaxRetries, options.ContextTimeoutEnabled = retries, true
		return redis.NewClient(options), nil
	case "cluster", "clusters":
		options, err := redis.ParseClusterURL("redis" + strings.TrimPrefix(scheme, "cluster") + "://" + rest)
		if err != nil {
			return nil, fail(errors.New("it cannot be read"))
		}
		options.DialTimeout, options.ReadTimeout, options.WriteTimeout = timeout, timeout, timeout
		options.MaxRetries, options.ContextTimeoutEnabled = retries, true
		return redis.NewClusterClient(options), nil
	case "sentinel", "sentinels":
		options, err := sentinelOptions(address, timeout)
		if err != nil {
			return nil, fail(err)
		}
		return redis.NewFailoverClient(options), nil
	}
	return nil, fail(errors.New("its scheme is unknown"))
}

// sentinelOptions reads sentinel://user:password@host:26379,host:26379/service/0; the password is that of the master.
func sentinelOptions(address string, timeout time.Duration) (*redis.FailoverOptions, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	service, database, _ := strings.Cut(path, "/")
	if service == "" {
		return nil, errors.New("a sentinel URL names the service it asks for: sentinel://host:26379/mymaster/0")
	}
	made := &redis.FailoverOptions{
		MasterName: service, DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, MaxRetries: retries,
		ContextTimeoutEnabled: true,
	}
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		user, password, _ := strings.Cut(hosts[:at], ":")
		made.Username, _ = url.PathUnescape(user)
		made.Password, _ = url.PathUnescape(password)
		hosts = hosts[at+1:]
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if !strings.Contains(host, ":") {
			host += ":26379"
		}
		made.SentinelAddrs = append(made.SentinelAddrs, host)
	}
	if database != "" {
		number, err := strconv.Atoi(database)
		if err != nil {
			return nil, errors.New("its database is no number")
		}
		made.DB = number
	}
	if values, err := url.ParseQuery(query); err == nil {
		made.SentinelUsername, made.SentinelPassword = values.Get("sentinel_username"), values.Get("sentinel_password")
	}
	if scheme == "sentinels" {
		made.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return made, nil
}

// withoutPassword is a URL as messages may show it.
func withoutPassword(address string) string {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return address
	}
	rest, _, _ = strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, _, _ := strings.Cut(rest[:at], ":")
		rest = user + ":***" + rest[at:]
	}
	return scheme + "://" + rest
}
