package collector

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/time/rate"
)

// keyring holds the write keys as hashes. It does not change; safe for
// concurrent use.
type keyring struct {
	keys []key
}

// key is one write key.
type key struct {
	hash    [sha256.Size]byte
	source  string
	limiter *rate.Limiter // nil: no limit
}

// newKeyring checks the keys. Errors name them by position: keys are secrets.
func newKeyring(keys []WriteKey, perSecond float64, burst int) (*keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("write keys: there is none, so that nobody could write")
	}
	r := &keyring{}
	for i, k := range keys {
		hash := sha256.Sum256([]byte(k.Key))
		switch {
		case k.Key == "" || k.Source == "":
			return nil, fmt.Errorf("write keys: entry %d needs a key and a source", i+1)
		case strings.Contains(k.Key, ":"):
			return nil, fmt.Errorf("write keys: entry %d (source %s) has a colon, which HTTP Basic cannot carry in a user name", i+1, k.Source)
		case r.find([]byte(k.Key)) != nil:
			return nil, fmt.Errorf("write keys: entry %d (source %s) has the key of an earlier entry", i+1, k.Source)
		}
		entry := key{hash: hash, source: k.Source}
		if perSecond > 0 {
			entry.limiter = rate.NewLimiter(rate.Limit(perSecond), max(burst, int(2*perSecond)))
		}
		r.keys = append(r.keys, entry)
	}
	return r, nil
}

// find returns the entry of a key, or nil. It takes the same time for every
// key: all hashes are compared, each in constant time.
func (r *keyring) find(writeKey []byte) *key {
	hash := sha256.Sum256(writeKey)
	found := -1
	for i := range r.keys {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], r.keys[i].hash[:]), i, found)
	}
	if found < 0 {
		return nil
	}
	return &r.keys[found]
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
