package importer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/cairnhq/cairn/pkg/enrich"
)

// rfc3339ms is how times are written: UTC, with milliseconds.
const rfc3339ms = "2006-01-02T15:04:05.000Z"

// touchpoint is the raw touchpoint (docs: the raw touchpoint) of an access log line.
type touchpoint struct {
	MessageID   string     `json:"messageId"`
	Type        string     `json:"type"`
	Event       string     `json:"event"`
	AnonymousID string     `json:"anonymousId"`
	Timestamp   string     `json:"timestamp"`
	ReceivedAt  string     `json:"receivedAt,omitempty"`
	Channel     string     `json:"channel"`
	Source      string     `json:"source,omitempty"`
	Context     pageView   `json:"context"`
	Properties  accessData `json:"properties"`
}

type pageView struct {
	Page      page   `json:"page"`
	UserAgent string `json:"userAgent,omitempty"`
	IP        string `json:"ip,omitempty"`
	Library   struct {
		Name string `json:"name"`
	} `json:"library"`
}

type page struct {
	URL      string `json:"url,omitempty"`
	Path     string `json:"path,omitempty"`
	Search   string `json:"search,omitempty"`
	Referrer string `json:"referrer,omitempty"`
}

type accessData struct {
	Method   string `json:"method,omitempty"`
	Request  string `json:"request,omitempty"` // only if it is no HTTP
	Protocol string `json:"protocol,omitempty"`
	Status   int    `json:"status"`
	Bytes    *int64 `json:"bytes,omitempty"`
	Extra    string `json:"extra,omitempty"`
}

// visitorID is the anonymous id of an address and a user agent: the same
// visitor keeps it over files and imports, and the address cannot be read off.
func visitorID(host, userAgent string) string {
	sum := sha256.Sum256([]byte(host + "\n" + userAgent))
	return hex.EncodeToString(sum[:16])
}

// accessEvent makes the touchpoint of a line. site, if any, is put before
// paths to make addresses of them. Robots and assets are flagged by the
// sessionizer, for records of all front doors alike.
func accessEvent(a *accessLine, messageID, source, site string, received time.Time) ([]byte, error) {
	t := touchpoint{
		MessageID: messageID, Type: "page", Event: "page_viewed",
		AnonymousID: visitorID(a.Host, a.UserAgent),
		Timestamp:   a.At.UTC().Format(rfc3339ms), Channel: "web", Source: source,
		Properties: accessData{Method: a.Method, Protocol: a.Protocol, Status: a.Status, Extra: a.Extra},
	}
	if !received.IsZero() {
		t.ReceivedAt = received.UTC().Format(rfc3339ms)
	}
	if a.Method == "" {
		t.Properties.Request = a.Request
	}
	if a.Bytes >= 0 {
		t.Properties.Bytes = &a.Bytes
	}
	t.Context.Page = pageOf(a, site)
	t.Context.UserAgent = a.UserAgent
	t.Context.IP = enrich.TruncateIP(a.Host)
	t.Context.Library.Name = "cairn-import"
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&t); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// pageOf is the page a request asked for. Targets that are no URL are kept as
// they came, as the path.
func pageOf(a *accessLine, site string) page {
	p := page{Referrer: a.Referrer}
	if a.Target == "" {
		return p
	}
	p.URL = a.Target
	if strings.HasPrefix(a.Target, "/") {
		p.URL = strings.TrimSuffix(site, "/") + a.Target
	}
	path, query, found := strings.Cut(a.Target, "?")
	if u, err := url.Parse(path); err == nil && u.Host != "" && u.Scheme != "" { // a proxy's request
		path = u.EscapedPath()
	}
	p.Path, _, _ = strings.Cut(path, "#")
	if found {
		p.Search = "?" + query
	}
	return p
}
