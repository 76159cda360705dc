package collector

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/doors"
	"github.com/cairnhq/cairn/services/collector/internal/pixel"
	"github.com/cairnhq/cairn/services/collector/internal/snowplow"
	"github.com/cairnhq/cairn/services/collector/internal/webhook"
)

// WriteKey lets whoever holds Key write as Source. Several keys may name one
// source.
type WriteKey struct {
	Key    string // or its hash, as HashKey makes it
	Source string // goes into every touchpoint
}

// Options of the collector. Zero values stand for the defaults named here.
type Options struct {
	Namespace string
	Cluster   stream.Cluster
	Listener  net.Listener // required; closed by Run
	WriteKeys []WriteKey   // required, unless KeysFile has some

	// KeysFile has further keys, and what is said of sources: origins, rates,
	// consent, personal data; "": none. Changes of it count within KeysPoll, by
	// default 2 s.
	KeysFile string
	KeysPoll time.Duration
	// Secret is what rules for personal data hash under. Required if one does.
	Secret []byte

	// TrustedProxies are the networks whose X-Forwarded-For is believed. None:
	// a request comes from the address it is connected from.
	TrustedProxies []netip.Prefix

	MaxEventBytes  int // of one event's JSON; default 32 KiB
	MaxBatchBytes  int // of a request's body, as sent and decompressed; default 500 KiB
	MaxEvents      int // of a batch; default 2500
	MaxProperties  int // members of an event's objects, at any depth; default 2000
	MaxDepth       int // nested objects and lists of an event; default 64
	MaxConnections int // further ones wait in the listener's queue; default 4096
	MaxInFlight    int // requests at once, further ones are answered 503; default 512

	// AllowedRedirects are the hosts that links of /r may lead to: shop.example,
	// shop.example:8443, or .shop.example for all hosts below it. None: no link
	// works.
	AllowedRedirects []string
	// SnowplowPaths are further paths, /vendor/version, of Snowplow trackers.
	SnowplowPaths []string
	// SnowplowSource is whose the events of Snowplow trackers without a write key
	// are; "": they are refused.
	SnowplowSource string

	// Webhooks is the file of webhook mappings; "": none. Changes of it count
	// within WebhooksPoll, by default 2 s.
	Webhooks     string
	WebhooksPoll time.Duration

	MaxImportBytes int64         // of a chunk of /import, as sent and unpacked; default 1 GiB
	ImportTimeout  time.Duration // for a chunk; default 10 min

	// EventsPerSecond of one write key; 0: no limit. Above it, 429. A key may
	// save up two seconds' worth, at least one full batch.
	EventsPerSecond float64

	// SpoolDir is the folder where accepted events wait while Kafka is away, one
	// collector at a time; "": they are refused then.
	SpoolDir   string
	SpoolBytes int64 // what the spool may take; default 1 GiB

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
	setDefault(&o.MaxProperties, 2000)
	setDefault(&o.MaxDepth, 64)
	setDefault(&o.MaxConnections, 4096)
	setDefault(&o.MaxInFlight, 512)
	setDefault(&o.MaxBufferedBytes, 64<<20)
	setDefault(&o.KeysPoll, 2*time.Second)
	setDefault(&o.SpoolBytes, 1<<30)
	setDefault(&o.ProduceTimeout, 10*time.Second)
	setDefault(&o.ReadTimeout, 30*time.Second)
	setDefault(&o.ShutdownTimeout, 15*time.Second)
	setDefault(&o.WebhooksPoll, 2*time.Second)
	setDefault(&o.MaxImportBytes, 1<<30)
	setDefault(&o.ImportTimeout, 10*time.Minute)
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
	case o.SpoolBytes < 2*memoryPerBatch*int64(o.MaxBatchBytes) && o.SpoolDir != "":
		return fmt.Errorf("limits: the spool of %d bytes is smaller than what two batches may take (%d)", o.SpoolBytes, 2*memoryPerBatch*o.MaxBatchBytes)
	case o.ProduceTimeout < time.Second:
		return fmt.Errorf("produce timeout is %v: want 1s or more", o.ProduceTimeout)
	case o.MaxEvents < 0 || o.MaxDepth < 0 || o.MaxProperties < 0 || o.MaxConnections < 0 || o.MaxInFlight < 0 || o.EventsPerSecond < 0 || o.MaxImportBytes < 0 || o.ImportTimeout < 0:
		return errors.New("limits: none may be negative")
	}
	return nil
}

// newLimiter makes the allowance of one key; nil: no limit.
func newLimiter(o *Options) *rate.Limiter {
	return limiterOf(o.EventsPerSecond, o.MaxEvents)
}

func (o *Options) doors(met *metrics, webhooks *webhookTable) doors.Settings {
	return doors.Settings{
		Webhook:  webhook.Options{Table: webhooks.table.Load},
		Snowplow: snowplow.Options{Paths: o.SnowplowPaths, DefaultSource: o.SnowplowSource},
		Pixel: pixel.Options{
			AllowedRedirects: o.AllowedRedirects,
			Lost:             func(reason string) { met.lostLinks.WithLabelValues(reason).Inc() },
		},
	}
}

func (o *Options) limits() door.Limits {
	return door.Limits{EventBytes: o.MaxEventBytes, BodyBytes: o.MaxBatchBytes, Events: o.MaxEvents, Depth: o.MaxDepth}
}
