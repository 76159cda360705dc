package collector

import "sync"

// signers are the keys of sources that sign their requests: what counts of them
// is their allowance. There are as many as mapping files have named. Safe for
// concurrent use.
type signers struct {
	opts *Options
	ring *keyring // knows what is said of a source

	mu   sync.Mutex
	keys map[string]*key
}

func newSigners(o *Options, ring *keyring) *signers {
	return &signers{opts: o, ring: ring, keys: map[string]*key{}}
}

// of is the key of a source.
func (s *signers) of(source string) *key {
	perSecond := s.opts.EventsPerSecond
	if p := s.ring.policy(source); p != nil && p.EventsPerSecond > 0 {
		perSecond = p.EventsPerSecond
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[source]
	if k == nil || k.rate != perSecond {
		k = &key{source: source, rate: perSecond, limiter: limiterOf(perSecond, s.opts.MaxEvents)}
		s.keys[source] = k
	}
	return k
}
