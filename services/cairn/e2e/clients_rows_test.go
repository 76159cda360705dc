//go:build linux

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
)

// row is a touchpoint as the story has it. P stands for the run's prefix.
type row struct {
	Who, User, Type, Event, Channel  string
	Page, Title, Referrer, Campaign  string
	Revenue, Note, Previous, Library string
	Untold                           bool // the client names no id for it
}

// dial is sql for goroutines, which must not end the test.
func (m *machine) dial() (clickhouse.Conn, error) {
	o, err := clickhouse.ParseDSN(m.ClickHouse)
	if err != nil {
		return nil, err
	}
	return clickhouse.Open(o)
}

// storedRow is a touchpoint of ClickHouse.
type storedRow struct {
	row
	at time.Time
}

const storedQuery = `
	SELECT message_id, event_time, identifier, user_id, type, event, channel, page_url, page_title, referrer,
	       concat(campaign_source, '/', campaign_medium, '/', campaign_name),
	       if(revenue_micros = 0, '', concat(toString(revenue_micros / 1000000), ' ', currency)),
	       if(JSONExtractString(properties, 'note') != '', JSONExtractString(properties, 'note'), JSONExtractString(traits, 'note')),
	       previous_id, JSONExtractString(context, 'library', 'name')
	FROM cairn.touchpoints FINAL
	WHERE source = ?`

// stored are the touchpoints of the run by message id. None is there twice.
func (r *telling) stored(t *testing.T, conn clickhouse.Conn) map[string]storedRow {
	t.Helper()
	rows, err := conn.Query(t.Context(), storedQuery, r.name)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	all := map[string]storedRow{}
	for rows.Next() {
		var s storedRow
		var id string
		require.NoError(t, rows.Scan(&id, &s.at, &s.Who, &s.User, &s.Type, &s.Event, &s.Channel, &s.Page, &s.Title, &s.Referrer,
			&s.Campaign, &s.Revenue, &s.Note, &s.Previous, &s.Library))
		require.NotContains(t, all, id, "twice")
		for _, text := range []*string{&s.Who, &s.User, &s.Page, &s.Previous} {
			if r.visitor != "" {
				*text = strings.ReplaceAll(*text, r.visitor, "Pa")
			}
			*text = strings.ReplaceAll(*text, r.prefix, "P")
		}
		s.Campaign = strings.Trim(s.Campaign, "/")
		all[id] = s
	}
	require.NoError(t, rows.Err())
	return all
}

// only takes the one touchpoint of that event out of those that are left.
func (r *telling) only(t *testing.T, left map[string]storedRow, event string) row {
	t.Helper()
	for id, s := range left {
		if s.Event == event {
			delete(left, id)
			return s.row
		}
	}
	require.Fail(t, "there is no "+event)
	return row{}
}
