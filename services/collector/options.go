package collector

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// WriteKey lets whoever holds Key write as Source. Several keys may name one
// source.
type WriteKey struct {
	Key    string
	Source string // goes into every touchpoint
}

// Options of the collector. Zero values stand for the defaults named here.
type Options struct {
	Namespace string
	Cluster   stream.Cluster
	Listener  net.Listener // required; closed by Run
	WriteKeys []WriteKey   // required

	// TrustedProxies are the networks whose X-Forwarded-For is believed. None:
	// a request comes from the address it is connected from.
	TrustedProxies []netip.Prefix

	MaxEventBytes  int // of one event's JSON; default 32 KiB
	MaxBatchBytes  int // of a request's body, as sent and decompressed; default 500 KiB
	MaxEvents      int // of a batch; default 2500
	MaxDepth       int // nested objects and lists of an event; default 64
	MaxConnections int // further ones wait in the listener's queue; default 4096
	MaxInFlight    int // requests at once, further ones are answered 503; default 512

	// EventsPerSecond of one write key; 0: no limit. Above it, 429. A key may
	// save up two seconds' worth, at least one full batch.
	EventsPerSecond float64

	MaxBufferedBytes int           // of events on their way to Kafka; default 64 MiB
	ProduceTimeout   time.Duration // for Kafka's acks of a request; default 10 s
	ReadTimeout      time.Duration // for a whole request; default 30 s
	ShutdownTimeout  time.Duration // for draining; default 15 s

	Log        *zap.Logger           // nil: none
	Registerer prometheus.Registerer // nil: none
}

// memoryPerBatch is how many times MaxBatchBytes the records of one request may
// take: the batch's context is written into each of them.
const memoryPerBatch = 4

// setDefaults fills in what is not set.
func (o *Options) setDefaults() {
	setDefault(&o.MaxEventBytes, 32<<10)
	setDefault(&o.MaxBatchBytes, 500<<10)
	setDefault(&o.MaxEvents, 2500)
	setDefault(&o.MaxDepth, 64)
	setDefault(&o.MaxConnections, 4096)
	setDefault(&o.MaxInFlight, 512)
	setDefault(&o.MaxBufferedBytes, 64<<20)
	setDefault(&o.ProduceTimeout, 10*time.Second)
	setDefault(&o.ReadTimeout, 30*time.Second)
	setDefault(&o.ShutdownTimeout, 15*time.Second)
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

func (o *Options) validate() error {
	switch {
	case o.Namespace == "":
		return errors.New("namespace is empty")
	case o.Listener == nil:
		return errors.New("the listener is missing")
	case o.MaxEventBytes > maxRecord:
		return fmt.Errorf("limits: an event may have %d bytes: Kafka takes up to %d", o.MaxEventBytes, maxRecord)
	case o.MaxEventBytes < 0 || o.MaxBatchBytes < o.MaxEventBytes || o.MaxBatchBytes > 64<<20:
		return fmt.Errorf("limits: an event may have %d bytes and a batch %d: the batch must have room for an event, up to 64 MiB", o.MaxEventBytes, o.MaxBatchBytes)
	case o.MaxBufferedBytes < memoryPerBatch*o.MaxBatchBytes:
		return fmt.Errorf("limits: the buffer of %d bytes is smaller than what one batch may take (%d)", o.MaxBufferedBytes, memoryPerBatch*o.MaxBatchBytes)
	case o.ProduceTimeout < time.Second:
		return fmt.Errorf("produce timeout is %v: want 1s or more", o.ProduceTimeout)
	case o.MaxEvents < 0 || o.MaxDepth < 0 || o.MaxConnections < 0 || o.MaxInFlight < 0 || o.EventsPerSecond < 0:
		return errors.New("limits: none may be negative")
	}
	return nil
}

func (o *Options) limits() door.Limits {
	return door.Limits{EventBytes: o.MaxEventBytes, Events: o.MaxEvents, Depth: o.MaxDepth}
}
