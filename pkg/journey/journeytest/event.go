package journeytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cairnhq/cairn/pkg/journey"
)

// ParseEvent reads a line of a scenario:
//
//	d1 10:20 web laptop+anna order_completed revenue=49.00
//
// that is: day, time (seconds and milliseconds if wanted), channel, who, what,
// details. Who is a visitor (a bare word: its anonymous id), +anna a user, or
// kind:value another identifier; joined by + the touchpoint carries all, the
// first being its identifier unless only the user is given; a value such as
// undefined is nobody's and counts as absent. What is page,
// screen, identify, group, alias or the name of a tracked event. Details:
//
//	business           the business acted, not the customer
//	bot                the user agent is a robot's
//	asset              something that a page loads, not a page
//	backfill           the lateness horizon is waived
//	/path              of the page
//	id=m7              messageId; by default m and the event's number in the file
//	arrives=d3/09:00   when it was received; by default when it was sent or happened
//	sent=d3/08:00      when the device sent it; it and the time are by the device's clock
//	device=mobile      what it happened on
//	trait.plan=gold    what the touchpoint says of the customer; null: no longer
//	revenue=49.00      in units of the currency
//	from=bob           the user an alias was before
//	campaign=spring    name of the campaign
//	source=till        the site, app or till; by default shop
//	key=value          any other: a property, a number where it reads as one
//	key="two words"    a property that is text
//
// The time is the event's timestamp, or its device's where sent is given; what
// becomes of it, journey.EventTime decides.
func ParseEvent(line string) (journey.Touchpoint, error) {
	words := fields(line)
	if len(words) < 5 {
		return journey.Touchpoint{}, errors.New("an event is: day time channel who what [details]")
	}
	at, err := parseClock(words[:2])
	if err != nil {
		return journey.Touchpoint{}, err
	}
	p := journey.Touchpoint{Channel: words[2], Actor: journey.ActorCustomer, Source: "shop", Type: "track"}
	if err := parseWho(&p, words[3]); err != nil {
		return p, err
	}
	switch what := words[4]; what {
	case "page", "screen", "identify", "group", "alias":
		p.Type = what
	default:
		p.Event = journey.SnakeCase(what)
	}
	d := details{p: &p, times: journey.Times{Timestamp: at}, properties: map[string]any{}, traits: map[string]any{}}
	for _, word := range words[5:] {
		if err := d.read(word); err != nil {
			return p, err
		}
	}
	if err := d.finish(); err != nil {
		return p, err
	}
	if p.Type == "alias" && (p.UserID == "" || p.PreviousID == "") {
		return p, errors.New("an alias is from=OLD and +NEW")
	}
	return p, nil
}

// errNobody says that a touchpoint has no identifier that stands for anybody; it
// is rejected.
var errNobody = errors.New("nobody's")

// parseWho reads identifiers joined by "+"; a "+" goes before a user. A value
// that stands for nobody, such as "undefined", counts as absent (D3).
func parseWho(p *journey.Touchpoint, word string) error {
	nobody := false
	for i, part := range strings.Split(word, "+") {
		if part == "" && i == 0 {
			continue
		}
		kind, value := journey.KindAnonymous, part
		if strings.Contains(part, ":") {
			kind, value = journey.SplitIdentifier(part)
		} else if i > 0 {
			kind = journey.KindUser
		}
		clean, ok := journey.CleanIdentifier(kind, value)
		switch {
		case value == "" || kind == journey.KindUser && p.UserID != "":
			return fmt.Errorf("%q does not say who", word)
		case !ok:
			nobody = true
		case kind == journey.KindUser:
			p.UserID = clean
		case i == 0:
			p.Identifier = kind + ":" + clean
		default:
			p.Others = append(p.Others, kind+":"+clean)
		}
	}
	if p.Identifier == "" && p.UserID != "" {
		p.Identifier = userProfile(p.UserID)
	}
	if p.Identifier == "" && len(p.Others) > 0 {
		p.Identifier, p.Others = p.Others[0], p.Others[1:]
	}
	if p.Identifier == "" && nobody {
		return errNobody
	}
	if p.Identifier == "" {
		return fmt.Errorf("%q does not say who", word)
	}
	slices.Sort(p.Others)
	return nil
}

// fields splits a line at its spaces, but not inside double quotes.
func fields(line string) []string {
	quoted, last := false, rune(0)
	return strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' && last != '\\' {
			quoted = !quoted
		}
		last = r
		return unicode.IsSpace(r) && !quoted
	})
}

// details gathers what a line says of a touchpoint.
type details struct {
	p                  *journey.Touchpoint
	times              journey.Times
	properties, traits map[string]any
}

func (d *details) read(word string) error {
	key, value, found := strings.Cut(word, "=")
	if !found {
		return d.flag(word)
	}
	p := d.p
	var err error
	switch key {
	case "id":
		p.MessageID = value
	case "arrives":
		d.times.Received, err = parseClock(strings.Split(value, "/"))
	case "sent":
		d.times.Sent, err = parseClock(strings.Split(value, "/"))
	case "revenue":
		f, numberErr := strconv.ParseFloat(value, 64)
		if numberErr != nil {
			return fmt.Errorf("revenue: %w", numberErr)
		}
		p.RevenueMicros = int64(math.Round(f * 1e6))
	case "from":
		p.PreviousID = value
	case "campaign":
		p.Campaign.Name = value
	case "source":
		p.Source = value
	case "device":
		p.Device = value
	default:
		if trait, is := strings.CutPrefix(key, "trait."); is {
			d.traits[trait] = jsonValue(value)
		} else {
			d.properties[key] = jsonValue(value)
		}
	}
	return err
}

func (d *details) flag(word string) error {
	p := d.p
	switch {
	case word == "business":
		p.Actor = journey.ActorBusiness
	case word == "bot":
		p.Flags |= journey.FlagBot
	case word == "asset":
		p.Flags |= journey.FlagAsset
	case word == "backfill":
		p.Flags |= journey.FlagBackfill
	case strings.HasPrefix(word, "/"):
		p.Page.Path, p.Page.URL = word, "https://shop.example"+word
	default:
		return fmt.Errorf("%q is no detail; properties are key=value", word)
	}
	return nil
}

// jsonValue is null, a number, or text, which quotes make of anything.
func jsonValue(word string) any {
	if text, err := strconv.Unquote(word); err == nil {
		return text
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil {
		return f
	}
	if word == "null" {
		return nil
	}
	return word
}

// finish sets what several details decide together.
func (d *details) finish() (err error) {
	if d.times.Sent != 0 {
		d.times.Original, d.times.Timestamp = d.times.Timestamp, 0
	}
	if d.times.Received == 0 {
		d.times.Received = max(d.times.Timestamp, d.times.Sent)
	}
	at, flags, original := journey.EventTime(d.times)
	d.p.Time, d.p.Received, d.p.Original = at, d.times.Received, original
	d.p.Flags |= flags
	if d.p.Properties, err = objectText(d.properties); err != nil {
		return err
	}
	d.p.Traits, err = objectText(d.traits)
	return err
}

func objectText(o map[string]any) (string, error) {
	if len(o) == 0 {
		return "", nil
	}
	text, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("properties and traits: %w", err)
	}
	return string(text), nil
}

// parseClock reads a day ("d3") and a time of day ("10:00:30.250").
func parseClock(words []string) (int64, error) {
	if len(words) != 2 || !strings.HasPrefix(words[0], "d") {
		return 0, fmt.Errorf("%q is no time; write it as d1 10:00", strings.Join(words, " "))
	}
	n, err := strconv.Atoi(words[0][1:])
	if err != nil {
		return 0, fmt.Errorf("%q is no day; write it as d1", words[0])
	}
	for _, layout := range []string{"15:04", "15:04:05", "15:04:05.000"} {
		if at, err := time.Parse(layout, words[1]); err == nil {
			midnight := at.Truncate(24 * time.Hour)
			return Base + int64(n-1)*day + at.Sub(midnight).Milliseconds(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time of day; write it as 10:00 or 10:00:30.250", words[1])
}
