package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"github.com/twmb/franz-go/plugin/kprom"
	"github.com/twmb/franz-go/plugin/kzap"
	"go.uber.org/zap"
)

// Cluster says how to reach Kafka.
type Cluster struct {
	Brokers []string `yaml:"brokers"` // host:port
	TLS     TLS      `yaml:"tls"`
	SASL    SASL     `yaml:"sasl"`

	dial Dial // nil: TCP
}

// Dial opens a connection to a broker, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Over is the cluster reached through dial in place of TCP: for simulations, whose
// network is in memory. It does not go together with TLS.
func (c Cluster) Over(dial Dial) Cluster {
	c.dial = dial
	return c
}

// TLS settings of a Kafka connection. Off unless Enabled.
type TLS struct {
	Enabled    bool   `yaml:"enabled"`
	CAFile     string `yaml:"ca_file"`     // PEM; empty: the system's roots
	CertFile   string `yaml:"cert_file"`   // PEM, with KeyFile: a client certificate
	KeyFile    string `yaml:"key_file"`    // PEM
	ServerName string `yaml:"server_name"` // empty: the broker's host name
}

// SASL settings of a Kafka connection. Off while Mechanism is empty.
type SASL struct {
	Mechanism string `yaml:"mechanism"` // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username  string `yaml:"username"`
	Password  string `yaml:"password"`
}

// Options are the client options that reach the cluster. Errors name the setting.
func (c Cluster) Options() ([]kgo.Opt, error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("kafka.brokers is empty: name at least one host:port")
	}
	// After a change of leader the client asks for metadata no sooner than this;
	// its default of 5 s would be all of G4's budget.
	opts := []kgo.Opt{kgo.SeedBrokers(c.Brokers...), kgo.ClientID("cairn"), kgo.MetadataMinAge(250 * time.Millisecond)}
	if c.dial != nil {
		opts = append(opts, kgo.Dialer(c.dial))
	}
	if c.TLS.Enabled {
		conf, err := c.TLS.config()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(conf))
	}
	if c.SASL.Mechanism != "" {
		m, err := c.SASL.mechanism()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

func (t TLS) config() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca_file: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca_file: %s holds no PEM certificate", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert_file and key_file: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "PLAIN":
		return plain.Auth{User: s.Username, Pass: s.Password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: s.Username, Pass: s.Password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: s.Username, Pass: s.Password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("kafka.sasl.mechanism is %q: want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.Mechanism)
}

// NewClient makes a client of the cluster. The name tells clients of one process
// apart in metrics and logs; reg and log may be nil.
func NewClient(c Cluster, name string, log *zap.Logger, reg prometheus.Registerer, more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := clientOptions(c, name, log, reg)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(opts, more...)...)
}

// clientOptions are Options plus the hooks for logs and metrics.
func clientOptions(c Cluster, name string, log *zap.Logger, reg prometheus.Registerer) ([]kgo.Opt, error) {
	opts, err := c.Options()
	if err != nil {
		return nil, err
	}
	if log != nil {
		// franz-go reports at info what operators need only when they look.
		opts = append(opts, kgo.WithLogger(kzap.New(log.Named("kafka").With(zap.String("client", name)), kzap.Level(kgo.LogLevelWarn))))
	}
	if reg != nil {
		opts = append(opts, kgo.WithHooks(kprom.NewMetrics("cairn_kafka",
			kprom.Registerer(prometheus.WrapRegistererWith(prometheus.Labels{"client": name}, reg)))))
	}
	return opts, nil
}
