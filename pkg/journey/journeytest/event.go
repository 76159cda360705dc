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

	"github.com/cairnhq/cairn/pkg/journey"
)

// ParseEvent reads a line of a scenario:
//
//	d1 10:20 web laptop+anna order_completed revenue=49.00
//
// that is: day, time (seconds and milliseconds if wanted), channel, who, what,
// details. Who is a visitor (a bare word: its anonymous id), +anna a user, or
// kind:value another identifier; joined by + the touchpoint carries all, the
// first being its identifier unless only the user is given. What is page,
// screen, identify, group, alias or the name of a tracked event. Details:
//
//	business           the business acted, not the customer
//	bot                the user agent is a robot's
//	backfill           the lateness horizon is waived
//	/path              of the page
//	id=m7              messageId; by default m and the event's number in the file
//	arrives=d3/09:00   when it was received; by default when it happened
//	revenue=49.00      in units of the currency
//	from=bob           the user an alias was before
//	campaign=spring    name of the campaign
//	source=till        the site, app or till; by default shop
//	key=value          any other: a property, a number where it reads as one
func ParseEvent(line string) (journey.Touchpoint, error) {
	words := strings.Fields(line)
	if len(words) < 5 {
		return journey.Touchpoint{}, errors.New("an event is: day time channel who what [details]")
	}
	at, err := parseClock(words[:2])
	if err != nil {
		return journey.Touchpoint{}, err
	}
	p := journey.Touchpoint{Time: at, Received: at, Channel: words[2], Actor: journey.ActorCustomer, Source: "shop", Type: "track"}
	if err := parseWho(&p, words[3]); err != nil {
		return p, err
	}
	switch what := words[4]; what {
	case "page", "screen", "identify", "group", "alias":
		p.Type = what
	default:
		p.Event = journey.SnakeCase(what)
	}
	properties := map[string]any{}
	for _, word := range words[5:] {
		if err := parseDetail(&p, properties, word); err != nil {
			return p, err
		}
	}
	if len(properties) > 0 {
		text, err := json.Marshal(properties)
		if err != nil {
			return p, fmt.Errorf("properties: %w", err)
		}
		p.Properties = string(text)
	}
	if p.Type == "alias" && (p.UserID == "" || p.PreviousID == "") {
		return p, errors.New("an alias is from=OLD and +NEW")
	}
	return p, nil
}

// parseWho reads identifiers joined by "+"; a "+" goes before a user.
func parseWho(p *journey.Touchpoint, word string) error {
	for i, part := range strings.Split(word, "+") {
		isUser := i > 0 && !strings.Contains(part, ":")
		switch {
		case part == "" && i == 0:
		case part == "" || isUser && p.UserID != "":
			return fmt.Errorf("%q does not say who", word)
		case isUser:
			p.UserID = part
		case i == 0 && !strings.Contains(part, ":"):
			p.Identifier = journey.KindAnonymous + ":" + part
		case i == 0:
			p.Identifier = part
		default:
			p.Others = append(p.Others, part)
		}
	}
	if p.Identifier == "" && p.UserID != "" {
		p.Identifier = userProfile(p.UserID)
	}
	if p.Identifier == "" {
		return fmt.Errorf("%q does not say who", word)
	}
	slices.Sort(p.Others)
	return nil
}

func parseDetail(p *journey.Touchpoint, properties map[string]any, word string) error {
	key, value, found := strings.Cut(word, "=")
	if !found {
		switch {
		case word == "business":
			p.Actor = journey.ActorBusiness
		case word == "bot":
			p.Flags |= journey.FlagBot
		case word == "backfill":
			p.Flags |= journey.FlagBackfill
		case strings.HasPrefix(word, "/"):
			p.Page.Path, p.Page.URL = word, "https://shop.example"+word
		default:
			return fmt.Errorf("%q is no detail; properties are key=value", word)
		}
		return nil
	}
	switch key {
	case "id":
		p.MessageID = value
	case "arrives":
		at, err := parseClock(strings.Split(value, "/"))
		if err != nil {
			return err
		}
		p.Received = at
	case "revenue":
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("revenue: %w", err)
		}
		p.RevenueMicros = int64(math.Round(f * 1e6))
	case "from":
		p.PreviousID = value
	case "campaign":
		p.Campaign.Name = value
	case "source":
		p.Source = value
	default:
		if f, err := strconv.ParseFloat(value, 64); err == nil {
			properties[key] = f
		} else {
			properties[key] = value
		}
	}
	return nil
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
