package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/cairnhq/cairn/pkg/stream"
)

// namespaceShape: what is legal both as a topic prefix and, quoted, as a
// ClickHouse database and an SQL identifier that needs no quotes.
const namespaceShape = `^[a-z][a-z0-9_]{0,62}$`

// Validate checks every value and returns all that is wrong, joined, each
// sentence naming the setting and, if Load filled it, where the value is from.
func (c *Config) Validate() error {
	v := validator{c: c}
	v.check(regexp.MustCompile(namespaceShape).MatchString(c.Namespace), "namespace",
		"is %q: want a lower-case name of letters, digits and underscores", c.Namespace)
	v.check(c.Data != "", "data", "is empty: name a folder")
	v.positive("startup_timeout", c.StartupTimeout)
	v.positive("shutdown_timeout", c.ShutdownTimeout)
	_, err := zapcore.ParseLevel(c.Log.Level)
	v.check(err == nil, "log.level", "is %q: want debug, info, warn or error", c.Log.Level)
	v.oneOf("log.format", c.Log.Format, "auto", "json", "console")
	v.kafka()
	v.clickhouse()
	v.addr("collector.addr", c.Collector.Addr)
	v.addr("console.addr", c.Console.Addr)
	if c.Admin.Addr != "" {
		v.addr("admin.addr", c.Admin.Addr)
	}
	v.writeKeys()
	v.check(c.Collector.Limits.EventBytes > 0, "collector.limits.event_bytes", "is %d: want more than 0", c.Collector.Limits.EventBytes)
	v.check(c.Collector.Limits.BatchBytes >= c.Collector.Limits.EventBytes, "collector.limits.batch_bytes",
		"is %d: want at least collector.limits.event_bytes (%d)", c.Collector.Limits.BatchBytes, c.Collector.Limits.EventBytes)
	limits := c.Collector.Limits
	v.check(limits.BatchEvents > 0, "collector.limits.batch_events", "is %d: want more than 0", limits.BatchEvents)
	v.check(limits.InFlight > 0, "collector.limits.in_flight", "is %d: want more than 0", limits.InFlight)
	v.check(limits.Connections > 0, "collector.limits.connections", "is %d: want more than 0", limits.Connections)
	v.check(c.Collector.Limits.EventsPerSecond >= 0, "collector.limits.events_per_second", "is %d: want 0 or more", c.Collector.Limits.EventsPerSecond)
	v.check(limits.ImportBytes > 0, "collector.limits.import_bytes", "is %d: want more than 0", limits.ImportBytes)
	v.positive("collector.limits.import_timeout", limits.ImportTimeout)
	v.check(c.Collector.Spool.Bytes >= 0, "collector.spool.bytes", "is %d: want 0 or more", c.Collector.Spool.Bytes)
	// As much as two requests may need at once.
	least := 8 * limits.BatchBytes
	v.check(c.Collector.Spool.Bytes == 0 || c.Collector.Spool.Bytes >= least, "collector.spool.bytes",
		"is %d: want 0, or at least eight times collector.limits.batch_bytes (%d)", c.Collector.Spool.Bytes, least)
	v.check(c.Console.MinCount >= 0, "console.min_count", "is %d: want 0 or more", c.Console.MinCount)
	for _, p := range c.Collector.TrustedProxies {
		_, err := netip.ParsePrefix(p)
		v.check(err == nil, "collector.trusted_proxies", "has %q: want networks as in 10.0.0.0/8", p)
	}
	v.between("sessionizer.commit_interval", c.Sessionizer.CommitInterval, 10*time.Millisecond, 5*time.Second)
	v.check(len(c.Sessionizer.Steps) > 0, "sessionizer.steps", "is empty: want device, profile or both")
	for _, s := range c.Sessionizer.Steps {
		v.oneOf("sessionizer.steps", s, "device", "profile")
	}
	v.check(c.Sessionizer.StateCache >= stream.MinStateCache, "sessionizer.state_cache_bytes",
		"is %d: want at least %d", c.Sessionizer.StateCache, stream.MinStateCache)
	v.check(c.Sink.BatchRows > 0, "sink.batch_rows", "is %d: want more than 0", c.Sink.BatchRows)
	v.positive("sink.flush_interval", c.Sink.FlushInterval)
	v.positive("monitor.poll_interval", c.Monitor.PollInterval)
	v.positive("monitor.max_lag", c.Monitor.MaxLag)
	v.retention()
	return errors.Join(v.errs...)
}

// Require fails for the first of these settings that has no value: the ones a
// service cannot start without.
func (c *Config) Require(keys ...string) error {
	for _, key := range keys {
		f, ok := fieldsOf(c)[key]
		if !ok {
			return fmt.Errorf("no setting is called %q", key) // our own mistake
		}
		if f.value.IsZero() || (f.value.CanInterface() && f.text() == "") {
			how := "set it in cairn.yaml or " + EnvName(key)
			if isSecret(key) {
				how += " (or name a file that holds it in " + EnvName(key) + "_FILE)"
			}
			return fmt.Errorf("%s is not set: %s", key, how)
		}
	}
	return nil
}

type validator struct {
	c    *Config
	errs []error
}

func (v *validator) check(ok bool, key, format string, args ...any) {
	if ok {
		return
	}
	msg := key + " " + fmt.Sprintf(format, args...)
	switch o := v.c.Origin(key); o.Kind {
	case OriginDefault:
		v.errs = append(v.errs, errors.New(msg))
	case OriginFlag:
		v.errs = append(v.errs, UsageErrorf("%s: %s", o, msg))
	default:
		v.errs = append(v.errs, fmt.Errorf("%s: %s", o, msg))
	}
}

func (v *validator) positive(key string, d time.Duration) {
	v.check(d > 0, key, "is %s: want more than 0", d)
}

func (v *validator) between(key string, d, low, high time.Duration) {
	v.check(d >= low && d <= high, key, "is %s: want %s to %s", d, low, high)
}

func (v *validator) oneOf(key, value string, allowed ...string) {
	v.check(slices.Contains(allowed, value), key, "is %q: want %s", value, strings.Join(allowed, ", "))
}

func (v *validator) addr(key, value string) {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	v.check(err == nil, key, "is %q: want host:port, as in 127.0.0.1:8080 (port 0 picks a free one)", value)
}

func (v *validator) kafka() {
	k := v.c.Kafka
	v.check(len(k.Brokers) > 0, "kafka.brokers", "is empty: name at least one host:port")
	for _, b := range k.Brokers {
		_, _, err := net.SplitHostPort(b)
		v.check(err == nil, "kafka.brokers", "holds %q: want host:port", b)
	}
	v.check(k.Partitions > 0, "kafka.partitions", "is %d: want more than 0", k.Partitions)
	v.check(k.Replication == -1 || k.Replication > 0, "kafka.replication", "is %d: want more than 0, or -1 for the broker's default", k.Replication)
	if k.SASL.Mechanism != "" {
		v.oneOf("kafka.sasl.mechanism", k.SASL.Mechanism, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
		v.check(k.SASL.Username != "", "kafka.sasl.username", "is empty but kafka.sasl.mechanism is set")
		v.check(k.SASL.Password != "", "kafka.sasl.password", "is empty but kafka.sasl.mechanism is set")
	}
	v.check((k.TLS.CertFile == "") == (k.TLS.KeyFile == ""), "kafka.tls.cert_file", "and kafka.tls.key_file belong together: set both or none")
}

// maxRetentionDays is what the server can count (warehouse.MaxRetentionDays).
const maxRetentionDays = 20_000

func (v *validator) retention() {
	r := v.c.Retention
	for key, days := range map[string]int{
		"touchpoints": r.Touchpoints, "late": r.Late, "rejected": r.Rejected, "sessions": r.Sessions, "journeys": r.Journeys,
		"transitions": r.Transitions, "frictions": r.Frictions, "data_quality": r.DataQuality,
	} {
		v.check(days >= 0 && days <= maxRetentionDays, "retention."+key+"_days", "is %d: want 0 to %d", days, maxRetentionDays)
	}
}

// clickhouse never repeats the value: it may hold a password.
func (v *validator) clickhouse() {
	u, err := url.Parse(v.c.ClickHouse.DSN)
	ok := err == nil && u.Host != "" && (u.Scheme == "clickhouse" || u.Scheme == "tcp" || u.Scheme == "http" || u.Scheme == "https")
	v.check(ok, "clickhouse.dsn", "is no data source name: want clickhouse://user:password@host:9000/database")
}

func (v *validator) writeKeys() {
	seen := map[string]bool{}
	for i, k := range v.c.Collector.WriteKeys {
		v.check(k.Key != "", "collector.write_keys", "has no key in entry %d", i+1)
		v.check(k.Source != "", "collector.write_keys", "has no source in entry %d", i+1)
		v.check(!strings.Contains(k.Key, ":") || isKeyHash(k.Key), "collector.write_keys", "has a colon in the key of entry %d: HTTP Basic cannot carry it", i+1)
		v.check(k.Key == "" || !seen[k.Key], "collector.write_keys", "has the same key twice (entry %d)", i+1)
		seen[k.Key] = true
	}
}
