//go:build synctests

package sessionizer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// simNet is the network between simulated machines and the broker. Every request
// of a machine passes through it, and a trouble may strike it there.
type simNet struct {
	virtual kfake.VirtualNetwork

	mu       sync.Mutex
	seen     map[kmsg.Key]int // guarded by mu: requests of machines, by kind
	troubles []*trouble       // guarded by mu
}

// machine is where a sessionizer runs: what the network knows of it.
type machine struct {
	net  *simNet
	name string
	died chan struct{} // closed by kill

	mu    sync.Mutex
	flow  chan struct{}         // guarded by mu: closed while the network flows
	links map[*simLink]struct{} // guarded by mu
}

// trouble strikes requests of one kind, after skip of them, count times.
type trouble struct {
	key     kmsg.Key
	machine string                  // "" is any
	when    func(kmsg.Request) bool // nil is always
	skip    int
	count   int
	do      deed
	lasts   time.Duration // of late and stall
	hits    int           // guarded by simNet.mu
}

// deed is what a trouble does to a request.
type deed int

const (
	cutBefore  deed = iota + 1 // the connection breaks, the broker sees nothing
	cutAfter                   // the broker has acted, the connection breaks before its answer arrives
	late                       // the answer takes its time
	stall                      // from here on the machine neither hears nor says anything, for a while
	stallAfter                 // likewise, once the broker has acted
	killBefore                 // the machine is gone, the broker sees nothing
	killAfter                  // the machine is gone, the broker has acted
)

// observer is the test's own machine: nothing strikes it but what strikes all.
const observer = "test"

func newSimNet() *simNet { return &simNet{seen: map[kmsg.Key]int{}} }

func (n *simNet) machine(name string) *machine {
	flow := make(chan struct{})
	close(flow)
	return &machine{net: n, name: name, died: make(chan struct{}), flow: flow, links: map[*simLink]struct{}{}}
}

// strike adds a trouble.
func (n *simNet) strike(t *trouble) *trouble {
	if t.count == 0 {
		t.count = 1
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.troubles = append(n.troubles, t)
	return t
}

func (n *simNet) hits(t *trouble) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return t.hits
}

// kinds are the requests seen, by kind.
func (n *simNet) kinds() map[kmsg.Key]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.seen)
}

func (d deed) String() string {
	return [...]string{"none", "cut", "unheard", "late", "before", "after", "before", "after"}[d]
}

// judge notes a request and finds what is to happen to it, nil for nothing.
func (n *simNet) judge(m *machine, frame []byte) *trouble {
	if m.name == observer {
		return nil
	}
	key := kmsg.Key(binary.BigEndian.Uint16(frame))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen[key]++
	for _, t := range n.troubles {
		if t.key != key || t.machine != "" && t.machine != m.name || t.hits >= t.count || t.when != nil && !t.when(decode(frame)) {
			continue
		}
		if t.skip > 0 {
			t.skip--
			continue
		}
		t.hits++
		return t
	}
	return nil
}

// decode reads a request without its size.
func decode(frame []byte) kmsg.Request {
	r := kbin.Reader{Src: frame}
	req := kmsg.RequestForKey(r.Int16())
	req.SetVersion(r.Int16())
	r.Int32() // correlation
	r.NullableString()
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if err := req.ReadFrom(r.Src); err != nil {
		panic("simulation: " + err.Error())
	}
	return req
}

// dial connects the machine to a broker.
func (m *machine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if !m.pass(ctx.Done()) {
		return nil, errors.New("simulation: the machine has no network")
	}
	server, err := m.net.virtual.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	client, inner := net.Pipe()
	l := &simLink{m: m, client: inner, server: server, answers: make(chan *trouble, 1024), gone: make(chan struct{})}
	m.mu.Lock()
	m.links[l] = struct{}{}
	m.mu.Unlock()
	go l.up()
	go l.down()
	return client, nil
}

// pass waits while the network is stalled. It is false if there will be none.
func (m *machine) pass(done <-chan struct{}) bool {
	m.mu.Lock()
	flow := m.flow
	m.mu.Unlock()
	select {
	case <-m.died:
		return false
	default:
	}
	select {
	case <-flow:
		return true
	case <-m.died:
	case <-done:
	}
	return false
}

// stall holds back everything for a while, dials included. Nothing is lost.
func (m *machine) stall(d time.Duration) {
	flow := make(chan struct{})
	m.mu.Lock()
	m.flow = flow
	m.mu.Unlock()
	time.AfterFunc(d, func() { close(flow) })
}

// kill takes the machine off the network for good, as kill -9 does.
func (m *machine) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.died:
		return
	default:
	}
	close(m.died)
	for l := range m.links {
		l.cut()
	}
}

// cutAll breaks all connections; new ones are possible.
func (m *machine) cutAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for l := range m.links {
		l.cut()
	}
}

// simLink is one connection of a machine.
type simLink struct {
	m              *machine
	client, server net.Conn
	answers        chan *trouble // of each request on its way, in order
	once           sync.Once
	gone           chan struct{} // closed by cut
}

// wait is false if the connection breaks meanwhile.
func (l *simLink) wait(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-l.gone:
		return false
	}
}

func (l *simLink) cut() {
	l.once.Do(func() { close(l.gone) })
	_ = l.client.Close()
	_ = l.server.Close()
}

func (l *simLink) close() {
	l.cut()
	l.m.mu.Lock()
	delete(l.m.links, l)
	l.m.mu.Unlock()
}

// latency is how long a request travels. Without it, a client that tries again at
// once until a timer of its own has fired would keep virtual time from moving.
const latency = time.Millisecond

// up carries requests. What it has read it delivers, even if the client has hung
// up meanwhile: so does TCP.
func (l *simLink) up() {
	defer l.close()
	for {
		frame, err := readFrame(l.client)
		if err != nil {
			return
		}
		t := l.m.net.judge(l.m, frame[4:])
		if t != nil {
			switch t.do {
			case cutBefore:
				return
			case killBefore:
				l.m.kill()
				return
			case stall:
				l.m.stall(t.lasts)
			case cutAfter, late, stallAfter, killAfter: // on the way back
			}
		}
		l.answers <- t
		if !l.wait(latency) {
			return
		}
		if !l.m.pass(nil) {
			return
		}
		if _, err := l.server.Write(frame); err != nil {
			return
		}
	}
}

// down carries answers.
func (l *simLink) down() {
	defer l.close()
	for {
		frame, err := readFrame(l.server)
		if err != nil {
			return
		}
		if t := <-l.answers; t != nil {
			switch t.do {
			case cutAfter:
				return
			case killAfter:
				l.m.kill()
				return
			case stallAfter:
				l.m.stall(t.lasts)
			case late:
				if !l.wait(t.lasts) {
					return
				}
			case cutBefore, stall, killBefore: // it was on the way there
			}
		}
		if !l.m.pass(nil) {
			return
		}
		if _, err := l.client.Write(frame); err != nil {
			return
		}
	}
}

// readFrame reads a request or an answer with its size.
func readFrame(c net.Conn) ([]byte, error) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(c, size); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(size))
	copy(frame, size)
	_, err := io.ReadFull(c, frame[4:])
	return frame, err
}
