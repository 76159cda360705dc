package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// TypeForget is the value of HeaderType of records that erase: on touchpoints.raw a
// Forget for the device step's partition, on touchpoints one for the home that is the
// key.
const TypeForget = "forget"

// ErasureState is how far an erasure is.
type ErasureState string

// The states of an erasure, in their order.
const (
	ErasureHeld     ErasureState = "held"     // their events are held back; the state is being cleaned
	ErasureCleared  ErasureState = "cleared"  // the steps know them no more; tables are being cleaned
	ErasureComplete ErasureState = "complete" // nothing is left but what retention deletes
)

// Forever as Erasure.UntilMillis holds back all events there will ever be.
const Forever int64 = math.MaxInt64

// Erasure says whose events are held back. It names nobody: subjects are keyed hashes.
type Erasure struct {
	ID              string       `json:"id"` // random
	State           ErasureState `json:"state"`
	RequestedMillis int64        `json:"requested_ms"`
	UntilMillis     int64        `json:"until_ms"` // latest event time that is erased
	Asked           []string     `json:"asked"`    // hashes of what the command was given
	Subjects        []Subject    `json:"subjects"`
	CompletedMillis int64        `json:"completed_ms,omitempty"`

	// Counted only while State is cleared: what of the accounts is forgotten.
	Counted []Forgotten `json:"counted,omitempty"`
	// Rows that were erased, by table.
	Rows map[string]uint64 `json:"rows,omitempty"`
}

// Subject is an identifier or user of the person.
type Subject struct {
	Hash string `json:"hash"` // HashIdentifier
	// Shared says that others were seen with the identifier, too: then only what
	// happened in Ranges [from, to), Unix ms, was the person's.
	Shared bool       `json:"shared,omitempty"`
	Ranges [][2]int64 `json:"ranges,omitempty"`
}

// Forgotten is how many raw records that arrived in a minute had been counted, and are
// erased.
type Forgotten struct {
	Minute      int64  `json:"minute"` // Unix ms
	Source      string `json:"source"`
	Touchpoints uint64 `json:"touchpoints,omitempty"`
	Late        uint64 `json:"late,omitempty"`
	Rejected    uint64 `json:"rejected,omitempty"`
}

// Pseudonym is the user id that stands for the person in maps of shared identifiers.
func (e *Erasure) Pseudonym() string { return "erased-" + e.ID }

// HashIdentifier is the keyed hash by which erasures know an identifier kind:value as
// it is stored, so emails and phones as their own hashes.
func HashIdentifier(secret []byte, identifier string) string {
	return keyed(secret, "erasure", []byte(identifier))
}

// SecretCheck is by what programs find out whether they have the same secret: a keyed
// hash of nothing.
func SecretCheck(secret []byte) string { return keyed(secret, "check", nil) }

// ForgetMAC is the value of HeaderMAC of a forget record: who does not have the
// namespace's secret cannot have anybody forgotten.
func ForgetMAC(secret, value []byte) string { return keyed(secret, "forget", value) }

func keyed(secret []byte, purpose string, text []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(purpose + "\x00"))
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil))
}

// EncodeErasure is the value of a record of the topic erasures.
func EncodeErasure(e *Erasure) []byte { return marshalJSON(e) }

// DecodeErasure is the reverse of EncodeErasure.
func DecodeErasure(b []byte) (Erasure, error) {
	var e Erasure
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("erasure: %w", err)
	}
	if e.ID == "" {
		return e, errors.New("erasure: it has no id")
	}
	return e, nil
}

// Forget tells a step to erase. It names identifiers, as touchpoints.raw and
// touchpoints do anyway, and goes with them by retention.
type Forget struct {
	Erasure Erasure `json:"erasure"`
	// Names are identifiers to look for, kind:value. The device step erases rows of
	// those that are whole, and renames the person in the maps of the shared ones.
	Names []string `json:"names,omitempty"`
	// Sessions of shared identifiers that the person took part in.
	Sessions []ForgetSession `json:"sessions,omitempty"`
	// Counted is booked once.
	Counted []Forgotten `json:"counted,omitempty"`
}

// ForgetSession replaces a session by what stays of it.
type ForgetSession struct {
	Identifier string `json:"identifier"`
	ID         string `json:"id"`
	Minted     int64  `json:"minted"`
	// Touchpoints is how many it must have; else nothing is done: something came.
	Touchpoints uint64 `json:"touchpoints"`
	// Keep are the touchpoints that stay, as records of the topic; none: it goes.
	Keep [][]byte `json:"keep,omitempty"`
}

// EncodeForget is the value of a record of type forget.
func EncodeForget(f *Forget) []byte { return marshalJSON(f) }

// DecodeForget is the reverse of EncodeForget. It shares no memory with b.
func DecodeForget(b []byte) (Forget, error) {
	var f Forget
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("forget record: %w", err)
	}
	if f.Erasure.ID == "" {
		return f, errors.New("forget record: its erasure has no id")
	}
	return f, nil
}

func marshalJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("wire: marshal %T: %v", v, err)) // plain fields only: our own mistake
	}
	return b
}

// Erasures is a list of erasures to hold touchpoints against. Not safe for concurrent
// use while it is added to.
type Erasures struct {
	secret []byte
	byID   map[string]*Erasure
	byHash map[string][]entry
}

type entry struct {
	of      *Erasure
	subject Subject
}

// NewErasures makes an empty list. The secret is the namespace's.
func NewErasures(secret []byte) *Erasures {
	return &Erasures{secret: secret, byID: map[string]*Erasure{}, byHash: map[string][]entry{}}
}

// Add adds an erasure, or what more is known of one that is there. Subjects are added to
// an erasure, never taken off: what has fewer is of an earlier time, as a rebuild reads
// it, and changes nothing. It keeps no memory of e's.
func (l *Erasures) Add(e *Erasure) {
	if have := l.byID[e.ID]; have != nil {
		if len(e.Subjects) < len(have.Subjects) {
			return
		}
		for _, s := range have.Subjects {
			list := l.byHash[s.Hash][:0:0]
			for _, it := range l.byHash[s.Hash] {
				if it.of != have {
					list = append(list, it)
				}
			}
			l.byHash[s.Hash] = list
		}
	}
	c := *e
	l.byID[c.ID] = &c
	for _, s := range c.Subjects {
		l.byHash[s.Hash] = append(l.byHash[s.Hash], entry{&c, s})
	}
}

// Empty reports whether nobody is to be forgotten.
func (l *Erasures) Empty() bool { return len(l.byID) == 0 }

// Erased is what the list says of a touchpoint.
type Erased struct {
	By *Erasure // nil: nothing
	// Stopped says that it happened after the request: it is erased only if the
	// identifier has not gone to somebody else.
	Stopped bool
}

// Touchpoint says whether a touchpoint is erased. Identifiers are as stored, so after
// enrichment.
func (l *Erasures) Touchpoint(t *journey.Touchpoint) Erased {
	if l.Empty() {
		return Erased{}
	}
	if t.UserID != "" {
		return Erased{By: l.User(t.UserID, t.Time)}
	}
	for _, it := range l.byHash[HashIdentifier(l.secret, t.Identifier)] {
		if t.Time <= it.of.UntilMillis && it.subject.covers(t.Time) {
			return Erased{it.of, t.Time > it.of.RequestedMillis+ClockSlack}
		}
	}
	return Erased{}
}

// ClockSlack is how long after the request events are erased all the same, ms: the
// clocks of devices may be ahead that far.
const ClockSlack int64 = 5 * 60 * 1000

// User is the erasure of a bare user id at a time, nil if there is none.
func (l *Erasures) User(userID string, at int64) *Erasure {
	if l.Empty() {
		return nil
	}
	for _, it := range l.byHash[HashIdentifier(l.secret, journey.UserProfile(userID))] {
		if at <= it.of.UntilMillis && !it.subject.Shared {
			return it.of
		}
	}
	return nil
}

// OfUser reports whether an erasure, whatever others say, is that of a bare user id at
// a time.
func (l *Erasures) OfUser(by *Erasure, userID string, at int64) bool {
	for _, it := range l.byHash[HashIdentifier(l.secret, journey.UserProfile(userID))] {
		if it.of.ID == by.ID && at <= it.of.UntilMillis && !it.subject.Shared {
			return true
		}
	}
	return false
}

// Shared is the erasure by which an identifier is known as shared, nil if there is none.
func (l *Erasures) Shared(identifier string, by *Erasure) bool {
	for _, it := range l.byHash[HashIdentifier(l.secret, identifier)] {
		if it.of.ID == by.ID {
			return it.subject.Shared
		}
	}
	return false
}

// Key says whether a record that cannot be read is erased by the bare value of its
// key: kinds are not known then.
func (l *Erasures) Key(key string, arrival int64) *Erasure {
	if l.Empty() || key == "" {
		return nil
	}
	for _, it := range l.byHash[HashIdentifier(l.secret, KeyOf(key))] {
		if arrival <= it.of.UntilMillis {
			return it.of
		}
	}
	return nil
}

// KeyOf is under what the bare value of an identifier is hashed, for Erasures.Key.
func KeyOf(value string) string { return "key\x00" + value }

func (s *Subject) covers(at int64) bool {
	if !s.Shared {
		return true
	}
	for _, r := range s.Ranges {
		if r[0] <= at && at < r[1] {
			return true
		}
	}
	return false
}

// IsPseudonym reports whether a user id stands for somebody who was forgotten.
func IsPseudonym(userID string) bool { return strings.HasPrefix(userID, "erased-") }
