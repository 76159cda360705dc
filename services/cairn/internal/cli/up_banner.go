package cli

import (
	"fmt"
	"io"
	"net"
	"strings"
)

// banner is what `cairn up` says when everything is ready. The names are public.
type banner struct {
	Collector      string `json:"collector"`
	Console        string `json:"console"`
	Admin          string `json:"admin"`
	Kafka          string `json:"kafka"`
	ClickHouse     string `json:"clickhouse"`
	ClickHouseHTTP string `json:"clickhouse_http"`
	WriteKey       string `json:"write_key"`
}

func (u *upped) banner() *banner {
	url := func(a net.Addr) string { return "http://" + a.String() }
	b := &banner{
		Collector: url(u.collector.Addr()), Console: url(u.console.Addr()), Admin: url(u.p.admin),
		Kafka: strings.Join(u.machine.Cluster.Brokers, ","), ClickHouse: u.machine.DSN, ClickHouseHTTP: u.machine.ClickHouseHTTP,
		WriteKey: u.o.cfg.Collector.WriteKeys[0].Key,
	}
	if !u.o.ownClickHouse { // a given DSN may hold a password
		b.ClickHouse = "clickhouse://" + clickhouseHost(u.o.cfg)
	}
	return b
}

func (b *banner) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, b)
	}
	_, err := fmt.Fprintf(w, `
cairn is up.

  journey map   %s
  collector     %s   Segment's API: POST /v1/batch
  write key     %s
  Kafka         %s
  ClickHouse    %s
                %s
  health        %s/readyz   metrics /metrics

  cairn import FILE --kafka %s
  cairn lag --kafka %s
  cairn tail transitions --follow --kafka %s
  cairn verify --clickhouse %s
  Ctrl-C stops it; what it keeps is in the data folder.

`, b.Console, b.Collector, b.WriteKey, b.Kafka, b.ClickHouse, b.ClickHouseHTTP, b.Admin, b.Kafka, b.Kafka, b.Kafka, b.ClickHouse)
	return err
}
