package sessionizer

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// tableErasure holds the erasures that a partition knows of, by id: they must go with
// the partition to an instance that was started before they were asked for. A row
// with bookedSuffix says that an erasure is in the partition's accounts.
const (
	tableErasure = 'e'
	bookedSuffix = "\x00booked"
)

// SecretError says that the namespace's sessionizers have another identity.secret: the
// same email would be another identifier, and who was forgotten would come back.
type SecretError struct{ Namespace string }

func (e *SecretError) Error() string {
	return fmt.Sprintf("identity.secret is not the one that the sessionizers of the namespace %s began with: emails and phone numbers would be hashed to other identifiers, "+
		"and the events of persons who were forgotten would not be held back; give it the same secret", e.Namespace)
}

// holdSecret reads whose events are held back, and compares the secret with that of
// the namespace; the first sessionizer's is the namespace's.
func (o *Options) holdSecret(ctx context.Context, cl *kgo.Client) (err error) {
	var have string
	if o.erasures, have, err = stream.ReadErasures(ctx, cl, o.Namespace); err != nil {
		return err
	}
	switch check := wire.SecretCheck(o.Secret); {
	case have == check || have == "" && len(o.Secret) == 0:
		return nil
	case have == "":
		return stream.WriteSecretCheck(ctx, cl, o.Namespace, check)
	default:
		return &SecretError{o.Namespace}
	}
}

// loadErasures lists whose events are held back: those the control topic told of at
// the start, and those that came since.
func loadErasures(o *Options, state *stream.State) (*wire.Erasures, error) {
	list := wire.NewErasures(o.Secret)
	for i := range o.erasures {
		list.Add(&o.erasures[i])
	}
	err := state.Scan([]byte{tableErasure}, func(_, value []byte) error {
		if len(value) == 0 {
			return nil // a booking
		}
		e, err := wire.DecodeErasure(value)
		list.Add(&e)
		return err
	})
	return list, err
}

// erase drops a touchpoint of a person who is forgotten. Where it tells of a shared
// identifier whose it was then, a pseudonym stands for the person.
func (t *deviceTask) erase(tp *journey.Touchpoint, by *wire.Erasure, copied bool, out stream.Output) error {
	q, err := t.quality.at(tp.Received, tp.Source)
	if err != nil {
		return err
	}
	if !copied {
		q.Accepted++
	}
	q.Erased++
	t.tally.accepted(copied)
	t.tally.erased++
	if tp.UserID == "" {
		return nil
	}
	l := journey.Link{Time: tp.Time, MessageID: tp.MessageID, UserID: by.Pseudonym()}
	if t.erasures.Shared(tp.Identifier, by) {
		d, err := t.device(tp.Identifier)
		if err != nil {
			return err
		}
		d.AddLink(l, t.o.Model)
		t.mark(d)
	}
	for i, id := range tp.Others {
		if t.erasures.Shared(id, by) {
			t.sendLink(t.raw.OtherKeys[i], id, l, out)
		}
	}
	return nil
}

// heldBack is the erasure of a touchpoint, nil if it counts. What happens after the
// request of somebody who wants no new events is not theirs, if the identifier has
// gone to another user.
func (t *deviceTask) heldBack(tp *journey.Touchpoint) (*wire.Erasure, error) {
	e := t.erasures.Touchpoint(tp)
	if e.By == nil || !e.Stopped {
		return e.By, nil
	}
	d, err := t.device(tp.Identifier)
	if err != nil {
		return nil, err
	}
	if u := d.Ownership.Owner(tp.Time, tp.MessageID); u != "" && t.erasures.User(u, tp.Time) == nil && !wire.IsPseudonym(u) {
		return nil, nil //nolint:nilnil // nobody's
	}
	return e.By, nil
}

// forgotten drops the mention of erased identifiers from a touchpoint of nobody known.
func (t *deviceTask) forgotten(tp *journey.Touchpoint) {
	if tp.UserID != "" || t.erasures.Empty() {
		return
	}
	tp.Others = slices.DeleteFunc(tp.Others, func(id string) bool {
		return t.erasures.Touchpoint(&journey.Touchpoint{Identifier: id, Time: tp.Time}).By != nil
	})
}

// rejectedOf is the erasure of a record that cannot be read, nil if there is none.
func (t *deviceTask) rejectedOf(r *kgo.Record, arrival int64) *wire.Erasure {
	if t.erasures.Empty() {
		return nil
	}
	if u := t.raw.Touchpoint.UserID; u != "" {
		return t.erasures.User(u, arrival)
	}
	return t.erasures.Key(string(r.Key), arrival)
}

// forget takes in a record that tells to erase.
func (t *deviceTask) forget(r *kgo.Record, h *headers, out stream.Output) error {
	f, err := wire.DecodeForget(r.Value)
	if err != nil || !hmac.Equal([]byte(h.mac), []byte(wire.ForgetMAC(t.o.Secret, r.Value))) {
		in := wire.RawRecord{Partition: r.Partition, Offset: r.Offset, Arrival: r.Timestamp.UnixMilli(), Source: h.source}
		t.raw = wire.Raw{}
		bare := *r
		bare.Value = nil // whoever wrote it, it may name persons who are to be forgotten
		return t.reject(&bare, &in, &wire.RawError{
			Reason: wire.ReasonBadType,
			Err:    errors.New("the header cairn-type says forget, but the value is none that `cairn forget` has written under this identity.secret"),
		}, out)
	}
	e := f.Erasure
	e.Asked, e.Counted, e.Rows = nil, nil, nil
	t.erasures.Add(&e)
	key := append([]byte{tableErasure}, e.ID...)
	t.state.Put(key, wire.EncodeErasure(&e))
	var clean []string
	for _, name := range f.Names {
		all, err := t.forgetName(name, &e, out)
		if err != nil {
			return err
		}
		if all {
			clean = append(clean, name)
		}
	}
	if err := t.timers.forget(clean); err != nil {
		return err
	}
	if h.epoch != t.state.Epoch() {
		return nil // said of an earlier epoch; a rebuild makes neither sessions nor accounts with the person in them
	}
	for i := range f.Sessions {
		if err := t.forgetSession(&f.Sessions[i], out); err != nil {
			return err
		}
	}
	return t.book(&f, key)
}

// book tells the accounts what had been counted and is erased.
func (t *deviceTask) book(f *wire.Forget, key []byte) error {
	if len(f.Counted) == 0 {
		return nil
	}
	key = append(slices.Clip(key), bookedSuffix...)
	if done, err := t.state.Get(key); err != nil || done != nil {
		return err
	}
	for _, c := range f.Counted {
		q, err := t.quality.at(c.Minute, c.Source)
		if err != nil {
			return err
		}
		q.ForgottenTouchpoints += c.Touchpoints
		q.ForgottenLate += c.Late
		q.ForgottenRejected += c.Rejected
	}
	t.state.Put(key, nil)
	return nil
}

// forgetName erases what is known of an identifier, and reports whether nothing is
// left of it.
func (t *deviceTask) forgetName(name string, e *wire.Erasure, out stream.Output) (clean bool, err error) {
	d, err := t.settled(name, out)
	if err != nil {
		return false, err
	}
	defer t.devices.drop(name)
	gone := func(user string, at int64) bool {
		if at == -1<<63 { // of any time
			at = e.RequestedMillis
		}
		return t.erasures.OfUser(e, user, at)
	}
	shared := t.erasures.Shared(name, e)
	pseudonym := ""
	if shared {
		pseudonym = e.Pseudonym()
	}
	known := len(d.Ownership.Users) > 0
	renamed := d.Ownership.Forget(pseudonym, gone)
	if shared {
		if renamed {
			d.Renamed(func(profile string) bool { return t.isErased(profile, e) })
			t.flushDevice(d, out)
		}
		return false, nil
	}
	left, err := t.forgetRows(d, e.UntilMillis, out)
	if err != nil {
		return false, err
	}
	prefix := rowPrefix(tableDevice, name)
	switch {
	case len(d.Ownership.Links) > 0 || d.Ownership.Frozen && len(d.Ownership.Users) > 0:
		if renamed {
			d.Renamed(func(profile string) bool { return t.isErased(profile, e) })
			t.flushDevice(d, out)
		}
	case known || left == 0:
		t.state.Delete(append(slices.Clip(prefix), rowMeta))
		if known {
			out.Produce(&kgo.Record{Topic: t.topics.identities, Key: []byte(name)})
		}
	}
	return left == 0, nil
}

// isErased reports whether a profile's home is erased, so that it need not be told.
func (t *deviceTask) isErased(profile string, e *wire.Erasure) bool {
	by := t.erasures.Touchpoint(&journey.Touchpoint{Identifier: profile, Time: e.RequestedMillis}).By
	return by != nil && by.ID == e.ID && !t.erasures.Shared(profile, e)
}

// settled is a device of which nothing waits to be written.
func (t *deviceTask) settled(name string, out stream.Output) (*deviceEntry, error) {
	d, err := t.device(name)
	if err == nil && d.dirty {
		t.flushDevice(d, out)
	}
	return d, err
}

// forgetRows deletes the sessions and remembered messages of an identifier up to a
// time. It returns how many rows are left.
func (t *deviceTask) forgetRows(d *deviceEntry, until int64, out stream.Output) (left int, err error) {
	prefix := rowPrefix(tableDevice, d.Identifier)
	for _, s := range d.Sessions() {
		if s.End > until {
			left++
			continue
		}
		t.state.Delete(sessionKey(prefix, s.Start))
		if !s.Closed {
			t.opened--
		}
		t.bury(s, out)
	}
	rows := append(slices.Clip(prefix), rowHashes)
	var old [][]byte
	err = t.state.Scan(rows, func(key, value []byte) error {
		c := &journey.HashChunk{}
		if err := wire.DecodeHashes(value, c); err != nil {
			return err
		}
		if c.Latest > until {
			left++
			return nil
		}
		old = append(old, slices.Clone(key))
		return nil
	})
	for _, key := range old {
		t.state.Delete(key)
	}
	return left, err
}

// bury emits tombstones of a session and of those that had merged into it.
func (t *deviceTask) bury(s *journey.Session, out stream.Output) {
	out.Produce(&kgo.Record{Topic: t.topics.sessions, Key: []byte(s.ID)})
	for _, v := range s.Absorbed {
		out.Produce(&kgo.Record{Topic: t.topics.sessions, Key: []byte(v.ID)})
	}
}

// forgetSession makes a session of a shared identifier anew from the touchpoints that
// stay. A session that has changed since it was looked at is left as it is; one that
// is no longer in the state is final, and only its row is made anew.
func (t *deviceTask) forgetSession(f *wire.ForgetSession, out stream.Output) error {
	d, err := t.settled(f.Identifier, out)
	if err != nil {
		return err
	}
	defer t.devices.drop(f.Identifier)
	if len(d.Ownership.Users) == 0 && len(d.Sessions()) == 0 && d.EvictedThrough == 0 {
		return nil // another partition's
	}
	var next *journey.Session
	if len(f.Keep) > 0 {
		stay := make([]journey.Touchpoint, len(f.Keep))
		for i, raw := range f.Keep {
			pb := &wirepb.Touchpoint{}
			if err := pb.UnmarshalVTUnsafe(raw); err != nil {
				return fmt.Errorf("forget record: touchpoint: %w", err)
			}
			wire.FromTouchpoint(&stay[i], pb)
		}
		next = journey.Remainder(f.ID, f.Minted, stay, t.o.Model)
	}
	inState := slices.ContainsFunc(d.Sessions(), func(s *journey.Session) bool { return s.ID == f.ID })
	if !inState {
		if next == nil {
			out.Produce(&kgo.Record{Topic: t.topics.sessions, Key: []byte(f.ID)})
			return nil
		}
		next.Closed = true
		t.out.produce(out, t.topics.sessions, next.ID, wire.Session(d.Identifier, t.o.Model, next, t.state.NextRevision()), nil)
		return nil
	}
	old, ok := d.ReplaceSession(f.ID, f.Touchpoints, next)
	if !ok {
		return nil
	}
	if next == nil {
		t.bury(old, out)
	}
	t.flushDevice(d, out)
	return nil
}

// sendLink tells the partition of an identifier of a link.
func (t *deviceTask) sendLink(key, identifier string, l journey.Link, out stream.Output) {
	out.Produce(&kgo.Record{
		Topic: t.topics.raw, Key: []byte(key), Value: wire.EncodeLink(identifier, l),
		Headers: []kgo.RecordHeader{
			{Key: wire.HeaderType, Value: []byte(wire.TypeLink)},
			{Key: wire.HeaderEpoch, Value: []byte(strconv.Itoa(int(t.state.Epoch())))},
		},
	})
}

// forget removes the timers of names, those too that no row knows of any more. It
// reads all timers: it is asked for rarely.
func (t *timers) forget(names []string) error {
	if len(names) == 0 {
		return nil
	}
	gone := make(map[string]bool, len(names))
	for _, n := range names {
		gone[n] = true
	}
	var found []timer
	if err := t.state.Scan([]byte{tableTimer}, func(key, _ []byte) error {
		if at, name := timerIn(key); gone[name] {
			found = append(found, timer{at, name})
		}
		return nil
	}); err != nil {
		return err
	}
	for _, f := range found {
		t.remove(f.at, f.name)
	}
	return t.look(t.next)
}
