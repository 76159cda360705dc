package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// MixedSessions lists the sessions of shared identifiers that the person took part
// in, with the touchpoints of others in them. done are those whose newest row has only
// these already.
func MixedSessions(ctx context.Context, conn driver.Conn, namespace string, p *Person) (list []wire.ForgetSession, done int, err error) {
	if len(p.Shared) == 0 {
		return nil, 0, nil
	}
	const columns = "message_id, identifier, user_id, type, event, event_time, flags, channel, source, session_id, page_path, referrer, " +
		"campaign_source, campaign_medium, campaign_name, campaign_term, campaign_content, revenue_micros, sentiment, sentiment_source, device, channel_group, revision"
	shared := " WHERE actor != 'business' AND " + in("identifier", p.shared())
	rows, err := conn.Query(ctx, `
		SELECT if(v.merged_into != '', v.merged_into, t.session_id) AS session, t.theirs, s.minted, s.n, t.* EXCEPT (theirs, revision)
		FROM (SELECT `+columns+`, `+p.touchpoints()+` AS theirs FROM
		         (SELECT `+columns+` FROM `+namespace+`.touchpoints FINAL`+shared+`
		          UNION ALL SELECT `+columns+` FROM `+namespace+`_next.touchpoints FINAL`+shared+`)
		      ORDER BY revision DESC LIMIT 1 BY identifier, message_id) AS t
		LEFT JOIN (`+newestSessions(namespace)+` HAVING argMax(status, revision) = 'void') AS v ON v.session_id = t.session_id
		LEFT JOIN (`+newestSessions(namespace)+` HAVING argMax(status, revision) != 'void') AS s ON s.session_id = session
		ORDER BY session, t.event_time, t.message_id`)
	if err != nil {
		return nil, 0, fmt.Errorf("look for shared sessions: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var now *sharedSession
	end := func() {
		if now == nil || now.gone == 0 {
			return
		}
		if len(now.Keep) > 0 && now.n == uint64(len(now.Keep)) {
			done++
			return
		}
		now.Touchpoints = uint64(len(now.Keep)) + now.gone
		list = append(list, now.ForgetSession)
	}
	for rows.Next() {
		var session string
		var theirs bool
		var minted time.Time
		var n uint64
		var at time.Time
		var score int16
		t := &wirepb.Touchpoint{}
		if err := rows.Scan(&session, &theirs, &minted, &n, &t.MessageId, &t.Identifier, &t.UserId, &t.Type, &t.Event, &at, &t.Flags, &t.Channel, &t.Source,
			&t.SessionId, &t.PagePath, &t.Referrer, &t.CampaignSource, &t.CampaignMedium, &t.CampaignName, &t.CampaignTerm, &t.CampaignContent,
			&t.RevenueMicros, &score, &t.SentimentSource, &t.Device, &t.ChannelGroup); err != nil {
			return nil, 0, fmt.Errorf("look for shared sessions: %w", err)
		}
		if now == nil || now.ID != session {
			end()
			now = &sharedSession{n: n}
			now.ID, now.Identifier, now.Minted = session, t.Identifier, minted.UnixMilli()
		}
		if theirs {
			now.gone++
			continue
		}
		t.TimeMs, t.Sentiment, t.SessionId = at.UnixMilli(), int32(score), session
		now.Keep = append(now.Keep, wire.Marshal(t))
	}
	end()
	return list, done, rows.Err()
}

type sharedSession struct {
	wire.ForgetSession
	n, gone uint64 // touchpoints that its row has; those that go
}

func newestSessions(namespace string) string {
	return "SELECT session_id, argMax(merged_into, revision) AS merged_into, argMax(minted_at, revision) AS minted, argMax(touchpoints, revision) AS n" +
		" FROM (SELECT * FROM " + namespace + ".sessions UNION ALL SELECT * FROM " + namespace + "_next.sessions) GROUP BY session_id"
}
