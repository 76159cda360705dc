// Package app is what a cairn process is made of around its services: the
// configuration, the run group with signals, and waiting for what it depends on.
package app

import (
	"time"

	"github.com/cairnhq/cairn/pkg/stream"
)

// Config is everything that can be set, by cairn.yaml (the yaml names),
// by environment (CAIRN_ and the path in upper case: CAIRN_KAFKA_BROKERS) or by
// flag. Load fills it; it is not changed afterwards.
type Config struct {
	Namespace       string        `yaml:"namespace" help:"prefix of topics and groups, name of the ClickHouse databases; one tenant"`
	Data            string        `yaml:"data" help:"folder for this instance's state; one process at a time"`
	Model           string        `yaml:"model" help:"journey model file; empty: the built-in shop model"`
	Plan            string        `yaml:"plan" help:"tracking plan file; empty: every event is allowed"`
	StartupTimeout  time.Duration `yaml:"startup_timeout" help:"how long to wait for Kafka and ClickHouse at start"`
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout" help:"how long each part may take to stop"`
	Log             Log           `yaml:"log"`
	Kafka           Kafka         `yaml:"kafka"`
	ClickHouse      ClickHouse    `yaml:"clickhouse"`
	Collector       Collector     `yaml:"collector"`
	Console         Console       `yaml:"console"`
	Admin           Admin         `yaml:"admin"`
	Sessionizer     Sessionizer   `yaml:"sessionizer"`
	Sink            Sink          `yaml:"sink"`
	Monitor         Monitor       `yaml:"monitor"`
	Identity        Identity      `yaml:"identity"`
	Enrich          Enrich        `yaml:"enrich"`
	Retention       Retention     `yaml:"retention"`

	origins map[string]Origin
}

// Log settings.
type Log struct {
	Level  string `yaml:"level" help:"debug, info, warn or error"`
	Format string `yaml:"format" help:"auto (console on a terminal, else json), json or console"`
}

// Kafka says where Kafka is and how topics are made.
type Kafka struct {
	stream.Cluster `yaml:",inline"`
	Partitions     int32 `yaml:"partitions" help:"partitions of topics that do not exist yet"`
	Replication    int16 `yaml:"replication" help:"replicas of topics that do not exist yet; -1: the broker's default"`
}

// ClickHouse says where ClickHouse is.
type ClickHouse struct {
	DSN string `yaml:"dsn" help:"clickhouse://user:password@host:9000/database"`
}

// Collector settings.
type Collector struct {
	Addr      string     `yaml:"addr" help:"host:port of the HTTP front doors"`
	WriteKeys []WriteKey `yaml:"write_keys" help:"who may write, and as which source; in the environment KEY:SOURCE,KEY:SOURCE; sha256:HEX stands for a key"`
	// TrustedProxies are networks in CIDR form.
	TrustedProxies []string `yaml:"trusted_proxies" help:"networks whose X-Forwarded-For is believed, as in 10.0.0.0/8"`
	KeysFile       string   `yaml:"keys_file" help:"file of hashed write keys and of rules for sources (origins, rates, consent, personal data), read again when it changes; empty: none"`
	Spool          Spool    `yaml:"spool"`
	Webhooks       string   `yaml:"webhooks" help:"file of mappings of /webhook and /import; empty: none"`
	Redirects      []string `yaml:"redirects" help:"hosts that links of /r may lead to, as in shop.example or .shop.example; none: no link works"`
	Snowplow       Snowplow `yaml:"snowplow"`
	Limits         Limits   `yaml:"limits"`
}

// Snowplow says what is particular to Snowplow's trackers.
type Snowplow struct {
	Source string   `yaml:"source" help:"source of trackers that send no write key; empty: they are refused"`
	Paths  []string `yaml:"paths" help:"further paths that trackers send to, as in /com.acme/track"`
}

// Spool says where accepted events wait while Kafka is away.
type Spool struct {
	Dir   string `yaml:"dir" help:"folder of the collector's spool, one process at a time; empty: spool in the data folder"`
	Bytes int    `yaml:"bytes" help:"how much the spool may take; 0: no spool, events are refused while Kafka is away"`
}

// WriteKey lets an application write as a source.
type WriteKey struct {
	Key    string `yaml:"key"`
	Source string `yaml:"source"`
}

// Limits of the collector's input.
type Limits struct {
	EventBytes      int `yaml:"event_bytes" help:"largest event"`
	BatchBytes      int `yaml:"batch_bytes" help:"largest request body, decompressed"`
	BatchEvents     int `yaml:"batch_events" help:"events of a batch; further ones are rejected"`
	EventsPerSecond int `yaml:"events_per_second" help:"of one write key, above it 429; 0: no limit"`
	InFlight        int `yaml:"in_flight" help:"requests at once, further ones are answered 503"`
	Connections     int `yaml:"connections" help:"connections at once, further ones wait"`

	ImportBytes   int           `yaml:"import_bytes" help:"largest chunk of /import, as sent and unpacked"`
	ImportTimeout time.Duration `yaml:"import_timeout" help:"how long a chunk of /import may take"`
}

// Console settings.
type Console struct {
	Addr         string   `yaml:"addr" help:"host:port of the query API and the web UI"`
	AllowedHosts []string `yaml:"allowed_hosts" help:"names that the console answers to besides this machine's own"`
	MinCount     int      `yaml:"min_count" help:"counts of profiles below it are not shown; 0: exact numbers"`
}

// Admin settings.
type Admin struct {
	Addr string `yaml:"addr" help:"host:port of health and metrics; empty: the service's own port on loopback"`
}

// Sessionizer settings.
type Sessionizer struct {
	CommitInterval time.Duration `yaml:"commit_interval" help:"time between transactions"`
	Steps          []string      `yaml:"steps" help:"which steps to run: device, profile"`
	StateCache     int           `yaml:"state_cache_bytes" help:"memory for state of each step; the rest is read from the data folder"`
}

// Sink settings.
type Sink struct {
	BatchRows     int           `yaml:"batch_rows" help:"rows that make an insert at once"`
	FlushInterval time.Duration `yaml:"flush_interval" help:"time after which fewer rows are inserted too"`
}

// Monitor settings.
type Monitor struct {
	PollInterval time.Duration `yaml:"poll_interval" help:"time between looks at the lag"`
	MaxLag       time.Duration `yaml:"max_lag" help:"lag from which a group is called lagging"`
}

// Identity settings.
type Identity struct {
	Secret string `yaml:"secret" help:"key of the HMAC that email addresses and phone numbers are stored as"`
}

// Retention says after how many days `cairn migrate` has ClickHouse delete rows; 0: never.
type Retention struct {
	Touchpoints int `yaml:"touchpoints_days" help:"days after the event until rows of touchpoints are deleted; 0: never"`
	Late        int `yaml:"late_days" help:"likewise of late"`
	Rejected    int `yaml:"rejected_days" help:"days after arrival until rows of rejected are deleted; 0: never"`
	Sessions    int `yaml:"sessions_days" help:"days after its begin until a session is deleted; 0: never"`
	Journeys    int `yaml:"journeys_days" help:"days after its begin until a journey is deleted; 0: never"`
	Transitions int `yaml:"transitions_days" help:"days after its last change until a transition is deleted; 0: never"`
	Frictions   int `yaml:"frictions_days" help:"days after its last change until a friction is deleted; 0: never"`
	DataQuality int `yaml:"data_quality_days" help:"days until the accounts of a minute are deleted; 0: never"`
}

// Enrich says what is added to the rules by which touchpoints are enriched.
type Enrich struct {
	ChannelGroups string   `yaml:"channel_groups" help:"file of channel groups that go before the built-in rules; empty: none"`
	Referrers     string   `yaml:"referrers" help:"file of referrers, in the form of referer-parser, that go before the built-in ones; empty: none"`
	Geo           string   `yaml:"geo" help:"MaxMind database of places (.mmdb); empty: touchpoints have no country"`
	InternalHosts []string `yaml:"internal_hosts" help:"hosts whose links are no referrals, besides the page's own"`
}

// Defaults are the values of everything that nobody set. Addresses are on
// loopback: reaching out to the network is a decision. Secrets have none.
func Defaults() Config {
	return Config{
		Namespace:       "cairn",
		Data:            "cairn-data",
		StartupTimeout:  time.Minute,
		ShutdownTimeout: 20 * time.Second,
		Log:             Log{Level: "info", Format: "auto"},
		Kafka: Kafka{
			Cluster:     stream.Cluster{Brokers: []string{"127.0.0.1:19092"}},
			Partitions:  6,
			Replication: -1,
		},
		ClickHouse:  ClickHouse{DSN: "clickhouse://127.0.0.1:19000/cairn"},
		Collector:   Collector{Addr: "127.0.0.1:8080", Spool: Spool{Bytes: 1 << 30}, Limits: Limits{EventBytes: 32 << 10, BatchBytes: 500 << 10, BatchEvents: 2500, InFlight: 512, Connections: 4096, ImportBytes: 1 << 30, ImportTimeout: 10 * time.Minute}},
		Console:     Console{Addr: "127.0.0.1:8081"},
		Sessionizer: Sessionizer{CommitInterval: 100 * time.Millisecond, Steps: []string{"device", "profile"}, StateCache: stream.DefaultStateCache},
		Sink:        Sink{BatchRows: 100_000, FlushInterval: 700 * time.Millisecond},
		Monitor:     Monitor{PollInterval: 5 * time.Second, MaxLag: time.Minute},
	}
}

// secretKeys are the settings that print redacts and that may come from a file
// named by CAIRN_..._FILE.
func secretKeys() []string {
	return []string{"clickhouse.dsn", "collector.write_keys", "identity.secret", "kafka.sasl.password"}
}
