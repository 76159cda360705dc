package emit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Options of a Client.
type Options struct {
	Brokers   []string    // host:port; required
	Source    string      // name of the application; required
	Namespace string      // default "cairn"
	TLS       *tls.Config // nil: no TLS
	SASL      SASL        // off while Mechanism is empty

	// Linger is how long a touchpoint waits for others to share its request;
	// default 5 ms.
	Linger time.Duration
}

// SASL credentials.
type SASL struct {
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username  string
	Password  string
}

const (
	attempts     = 5 // of a request, with the same messageIds
	writeTimeout = 10 * time.Second
	dialTimeout  = 5 * time.Second
	batchRecords = 1000
	batchBytes   = 1_000_000 // Kafka's usual limit is 1 MiB
)

// Client writes touchpoints to a namespace's touchpoints.raw. It is safe for
// concurrent use; touchpoints of concurrent Sends share requests.
type Client struct {
	writer    *kafka.Writer
	transport *kafka.Transport
	source    string
}

// New checks the options. It connects at the first Send.
func New(o Options) (*Client, error) {
	if len(o.Brokers) == 0 {
		return nil, errors.New("emit: Brokers is empty: name at least one host:port")
	}
	if o.Source == "" {
		return nil, errors.New("emit: Source is empty: name the application that writes")
	}
	if o.Namespace == "" {
		o.Namespace = "cairn"
	}
	if o.Linger == 0 {
		o.Linger = 5 * time.Millisecond
	}
	mechanism, err := o.SASL.mechanism()
	if err != nil {
		return nil, fmt.Errorf("emit: %w", err)
	}
	transport := &kafka.Transport{TLS: o.TLS, SASL: mechanism, DialTimeout: dialTimeout, ClientID: "cairn-emit"}
	return &Client{
		source: o.Source, transport: transport,
		writer: &kafka.Writer{
			Addr:         kafka.TCP(o.Brokers...),
			Topic:        o.Namespace + ".touchpoints.raw",
			Balancer:     kafka.Murmur2Balancer{}, // as Java's and franz-go's producers
			RequiredAcks: kafka.RequireAll,
			Compression:  kafka.Lz4,
			MaxAttempts:  attempts,
			BatchTimeout: o.Linger, BatchSize: batchRecords, BatchBytes: batchBytes,
			WriteTimeout: writeTimeout, ReadTimeout: writeTimeout,
			Transport: transport,
		},
	}, nil
}

func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "":
		return nil, nil //nolint:nilnil // kafka-go's way to say no SASL
	case "PLAIN":
		return plain.Mechanism{Username: s.Username, Password: s.Password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.Username, s.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.Username, s.Password)
	}
	return nil, fmt.Errorf("SASL.Mechanism is %q: want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.Mechanism)
}

// InvalidError says that a touchpoint cannot be sent as it is. Nothing of the
// call was sent.
type InvalidError struct {
	Index int // of the touchpoint in the call
	Err   error
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("emit: touchpoint %d: %v", e.Index, e.Err)
}

// Unwrap gives the reason, ErrNoIdentifier for example.
func (e *InvalidError) Unwrap() error { return e.Err }

// SendError says that Kafka has not acknowledged some touchpoints. They may
// have arrived all the same: to be sure, Send Unacknowledged again. It has the
// messageIds that were sent, so that none counts twice.
type SendError struct {
	Unacknowledged []Touchpoint
	Err            error // the first reason
}

func (e *SendError) Error() string {
	return fmt.Sprintf("emit: kafka has not acknowledged %d touchpoints: %v", len(e.Unacknowledged), e.Err)
}

// Unwrap gives the first reason, context.DeadlineExceeded for example.
func (e *SendError) Unwrap() error { return e.Err }

// Send writes the touchpoints and returns when Kafka has acknowledged all of
// them, or when ctx ends. All are checked before the first is sent. The error
// is an *InvalidError or a *SendError.
func (c *Client) Send(ctx context.Context, touchpoints ...Touchpoint) error {
	now := time.Now()
	messages := make([]kafka.Message, len(touchpoints))
	sent := append([]Touchpoint(nil), touchpoints...) // the caller's stay as they are
	for i := range sent {
		key, err := sent[i].key()
		if err == nil {
			err = sent[i].complete(c.source, now)
		}
		var value []byte
		if err == nil {
			value, err = sent[i].value(now)
		}
		if err != nil {
			return &InvalidError{i, err}
		}
		messages[i] = kafka.Message{Key: []byte(key), Value: value, Time: now}
	}
	return failed(sent, c.writer.WriteMessages(ctx, messages...))
}

// failed turns the writer's error into ours.
func failed(sent []Touchpoint, err error) error {
	var each kafka.WriteErrors
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &each):
		return &SendError{sent, err}
	}
	out := &SendError{}
	for i, err := range each {
		if err == nil {
			continue
		}
		out.Unacknowledged = append(out.Unacknowledged, sent[i])
		if out.Err == nil {
			out.Err = err
		}
	}
	return out
}

// Close waits for the Sends that go on, which is up to a minute while Kafka is
// away, and drops the connections.
func (c *Client) Close() error {
	err := c.writer.Close()
	c.transport.CloseIdleConnections()
	if err != nil {
		return fmt.Errorf("emit: close: %w", err)
	}
	return nil
}
