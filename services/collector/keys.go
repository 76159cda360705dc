package collector

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/cairnhq/cairn/services/collector/internal/pii"
	"github.com/cairnhq/cairn/services/collector/internal/sources"
)

// keyring holds the write keys as hashes, and what is said of their sources.
// Safe for concurrent use.
type keyring struct {
	opts  *Options
	fixed []key // of the options
	now   atomic.Pointer[ring]
}

// ring is what counts at one time. It does not change.
type ring struct {
	keys    []key
	sources map[string]*policy // nil: nothing is said of any
	open    bool               // some source has no list of origins
}

// key is one write key.
type key struct {
	hash    [sha256.Size]byte
	source  string
	policy  *policy       // of the source, when the key was found; nil: nothing is said of it
	rate    float64       // of limiter
	limiter *rate.Limiter // nil: no limit
}

// policy is what is said of a source.
type policy struct {
	sources.Source
	pii *pii.Rules
}

// newKeyring checks the keys of the options and those of the file's entries, which
// may be none. Errors name them by position: keys are secrets.
func newKeyring(o *Options, file []sources.Source) (*keyring, error) {
	r := &keyring{opts: o}
	if err := r.fix(o.WriteKeys); err != nil {
		return nil, err
	}
	return r, r.use(file)
}

func (r *keyring) fix(keys []WriteKey) error {
	seen := map[[sha256.Size]byte]bool{}
	for i, k := range keys {
		hash, hashed := sources.ParseHash(k.Key)
		if !hashed {
			hash = sha256.Sum256([]byte(k.Key))
		}
		switch {
		case k.Key == "" || k.Source == "":
			return fmt.Errorf("write keys: entry %d needs a key and a source", i+1)
		case !hashed && strings.Contains(k.Key, ":"):
			return fmt.Errorf("write keys: entry %d (source %s) has a colon, which HTTP Basic cannot carry in a user name", i+1, k.Source)
		case seen[hash]:
			return fmt.Errorf("write keys: entry %d (source %s) has the key of an earlier entry", i+1, k.Source)
		}
		seen[hash] = true
		r.fixed = append(r.fixed, key{hash: hash, source: k.Source})
	}
	return nil
}

// use takes the file's entries over. After an error all stays as it was.
func (r *keyring) use(file []sources.Source) error {
	next := &ring{keys: append([]key(nil), r.fixed...)}
	for i := range file {
		p := &policy{Source: file[i]}
		var err error
		if p.pii, err = pii.Compile(p.PII, r.opts.Secret); err != nil {
			return fmt.Errorf("source %s: %w", p.Name, err)
		}
		if next.sources == nil {
			next.sources = map[string]*policy{}
		}
		next.sources[p.Name] = p
		for _, h := range p.Hashes {
			next.keys = append(next.keys, key{hash: h, source: p.Name})
		}
	}
	if len(next.keys) == 0 {
		return errors.New("write keys: there is none, so that nobody could write")
	}
	owner := map[[sha256.Size]byte]string{}
	for i := range next.keys {
		k := &next.keys[i]
		if other, twice := owner[k.hash]; twice {
			return fmt.Errorf("write keys: sources %s and %s have the same key", other, k.source)
		}
		owner[k.hash] = k.source
		p := next.sources[k.source]
		if p == nil || len(p.Origins) == 0 {
			next.open = true
		}
		k.policy = p
		r.allow(k, p)
	}
	r.now.Store(next)
	return nil
}

// allow gives a key its allowance. What it has spent stays spent.
func (r *keyring) allow(k *key, p *policy) {
	k.rate = r.opts.EventsPerSecond
	if p != nil && p.EventsPerSecond > 0 {
		k.rate = p.EventsPerSecond
	}
	if before := r.now.Load(); before != nil {
		for i := range before.keys {
			if old := &before.keys[i]; old.hash == k.hash && old.rate == k.rate {
				k.limiter = old.limiter
				return
			}
		}
	}
	k.limiter = limiterOf(k.rate, r.opts.MaxEvents)
}

// find returns the entry of a key, or nil. It takes the same time for every
// key: all hashes are compared, each in constant time.
func (r *keyring) find(writeKey []byte) *key {
	keys := r.now.Load().keys
	hash := sha256.Sum256(writeKey)
	found := -1
	for i := range keys {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], keys[i].hash[:]), i, found)
	}
	if found < 0 {
		return nil
	}
	return &keys[found]
}

// policy is what is said of a source; nil: nothing.
func (r *keyring) policy(source string) *policy { return r.now.Load().sources[source] }

// policyOf is what is said of a key's source. A request, and an import even more,
// may outlive its key's entry in the file: its events keep to the rules all the
// same.
func (r *keyring) policyOf(k *key) *policy {
	if p := r.policy(k.source); p != nil {
		return p
	}
	return k.policy
}

// origin reports whether any source takes requests of a site: for preflights,
// which have no key.
func (r *keyring) origin(site string) bool {
	now := r.now.Load()
	if now.open {
		return true
	}
	for _, p := range now.sources {
		if p.Origin(site) {
			return true
		}
	}
	return false
}

// limiterOf makes an allowance; nil: no limit.
func limiterOf(perSecond float64, burst int) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(burst, int(2*perSecond)))
}

// headerKey is the write key of the Authorization header: the user name of HTTP
// Basic, the password does not matter. present tells an unreadable header from
// none.
func headerKey(h http.Header) (writeKey []byte, present bool) {
	value := h.Get("Authorization")
	if value == "" {
		return nil, false
	}
	scheme, encoded, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil, true
	}
	encoded = strings.TrimRight(strings.TrimSpace(encoded), "=") // some clients leave the padding out
	plain, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, true
	}
	user, _, _ := strings.Cut(string(plain), ":")
	return []byte(user), true
}
