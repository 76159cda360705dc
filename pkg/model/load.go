package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Limits of a model file. Each has an error that names it.
const (
	MaxFileSize  = 64 << 10 // bytes
	MaxStages    = 32
	MaxSubstages = 16
	MaxAtLeast   = 1000 // of a rule's at_least; a profile keeps some thousand signals
	MaxWhere     = 1024 // bytes of a where
	MaxList      = 256  // events or channels of a rule
	MaxFrictions = journey.MaxFrictions
	MaxPersonas  = 32
	MaxNames     = journey.MaxCounted // traits, events or channels that personas use, of each
	MaxPoints    = 1000               // of intent, for one event or type of content
	MaxEvents    = 512                // event names that a model mentions
)

// Defaults of keys that a file may leave out, in milliseconds.
const (
	defaultSessionGap = 30 * msMinute
	defaultLateness   = 30 * msDay
	defaultJourneyGap = 90 * msDay
	defaultUserLimit  = 10
)

// Option alters Load.
type Option func(*loader)

// OnWhereError is told of every evaluation of a `where` that failed for another
// reason than a missing property, such as a comparison of text with a number;
// the rule then does not match. It is also told of answers to a survey that
// cannot be one, such as 11 of 10, which are not scored: where is then
// "sentiment.nps". It is called from whatever goroutine matches.
func OnWhereError(hook func(where string, err error)) Option {
	return func(l *loader) { l.hook = hook }
}

// loader reads one file into a model.
type loader struct {
	source
	hook       func(where string, err error)
	model      *journey.Model
	rules      int
	stageNames []string
	mentioned  map[string]bool // names of events
	scorer     *scorer         // of the section sentiment; nil: none
	points     *points         // of the section intent; nil: none
	thresholds map[string]int32

	touchpointEnv, behaviourEnv *cel.Env // made when needed
}

// Load compiles a model file. name is its path: errors begin with it, and the
// model is called after it, with eight digits of a hash of the content, such as
// "shop@1f0c9a2e". The hash ignores comments and layout. A file with mistakes
// yields Errors.
func Load(data []byte, name string, opts ...Option) (*journey.Model, error) {
	l := &loader{source: source{file: name}, mentioned: map[string]bool{}, model: &journey.Model{
		SessionGap: defaultSessionGap, Lateness: defaultLateness, JourneyGap: defaultJourneyGap,
		Goal: -1, UserLimit: defaultUserLimit,
	}}
	for _, o := range opts {
		o(l)
	}
	if len(data) > MaxFileSize {
		l.fail(nil, "the file has %d bytes; a model file may have %d", len(data), MaxFileSize)
		return nil, l.errs
	}
	root := l.parse(data)
	if root != nil {
		l.topLevel(root)
	}
	if len(l.errs) > 0 {
		return nil, l.errs.sort()
	}
	l.model.Name = strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)) + "@" + contentHash(root, data)
	return l.model.Compile(), nil
}

// contentHash is eight hexadecimal digits of the hash of a document's content.
func contentHash(root ast.Node, data []byte) string {
	var content any
	if err := yaml.NodeToValue(root, &content); err == nil {
		if canonical, err := json.Marshal(content); err == nil { // sorts keys
			data = canonical
		}
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:4])
}

// topLevel reads the top level.
func (l *loader) topLevel(root ast.Node) {
	top := l.mapping(root, "the model file",
		"version", "sessions", "journeys", "identity", "stages", "friction", "sentiment", "personas", "intent")
	if len(l.errs) > 0 && len(top) == 0 {
		return
	}
	if v, ok := top["version"]; !ok {
		l.fail(root, "the key \"version\" is missing; begin the file with \"version: 1\"")
	} else if n, ok := v.value.(*ast.IntegerNode); !ok || fmt.Sprint(n.Value) != "1" {
		l.fail(v.value, "this cairn reads model files of version 1 only; write \"version: 1\"")
	}
	if e, ok := top["sessions"]; ok {
		l.sessions(e.value)
	}
	if e, ok := top["identity"]; ok {
		keys := l.mapping(e.value, "identity", "user_limit")
		if limit, ok := keys["user_limit"]; ok {
			l.model.UserLimit = l.integer(limit.value, "identity.user_limit", 1, 1000)
		}
	}
	if e, ok := top["intent"]; ok { // before the stages, which name its thresholds
		l.intent(e.value)
	}
	stages, ok := top["stages"]
	if !ok {
		l.fail(root, "the key \"stages\" is missing; a journey needs at least one stage")
	} else {
		l.stages(stages.value)
	}
	if e, ok := top["journeys"]; ok { // after the stages: the goal names one
		l.journeys(e.value)
	}
	if e, ok := top["sentiment"]; ok {
		l.sentiment(e.value)
	}
	if e, ok := top["friction"]; ok { // after sentiment, whose surveys it names, and the journey gap
		l.frictions(e.value)
	}
	if e, ok := top["personas"]; ok {
		l.personas(e.value)
	}
	l.events(root)
}

// mention notes names of events that the model looks for.
func (l *loader) mention(names ...string) {
	for _, name := range names {
		l.mentioned[name] = true
	}
}

// events lists the names of events that the model mentions.
func (l *loader) events(root ast.Node) {
	l.model.Events = slices.Sorted(maps.Keys(l.mentioned))
	if n := len(l.model.Events); n > MaxEvents {
		l.fail(root, "the model mentions %d events by name; it may mention %d", n, MaxEvents)
	}
}

func (l *loader) sessions(n ast.Node) {
	keys := l.mapping(n, "sessions", "inactivity_gap", "lateness")
	if e, ok := keys["inactivity_gap"]; ok {
		l.model.SessionGap = l.duration(e.value, "sessions.inactivity_gap")
	}
	if e, ok := keys["lateness"]; ok {
		l.model.Lateness = l.duration(e.value, "sessions.lateness")
	}
}

func (l *loader) journeys(n ast.Node) {
	keys := l.mapping(n, "journeys", "inactivity_gap", "goal")
	if e, ok := keys["inactivity_gap"]; ok {
		l.model.JourneyGap = l.duration(e.value, "journeys.inactivity_gap")
		if gap := l.model.JourneyGap; gap > 0 && gap < l.model.SessionGap {
			l.fail(e.value, "journeys.inactivity_gap is shorter than sessions.inactivity_gap; a journey is made of sessions")
		}
	}
	if e, ok := keys["goal"]; ok {
		l.model.Goal = l.stageRef(e.value, "journeys.goal")
	}
}

// stageRef reads the name of a stage and returns its index, or -1.
func (l *loader) stageRef(n ast.Node, what string) int {
	name := l.text(n, what)
	i := slices.Index(l.stageNames, name)
	if name != "" && i < 0 {
		l.fail(n, "%s names no stage: %q%s (the stages are %s)", what, name, didYouMean(name, l.stageNames),
			strings.Join(l.stageNames, ", "))
	}
	return i
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// newName reads a name that must be lower-case and not taken yet.
func (l *loader) newName(n ast.Node, what string, taken []string) string {
	name := l.text(n, what)
	switch {
	case name == "":
		return ""
	case !namePattern.MatchString(name):
		l.fail(n, "%s %q is not a name: lower-case letters, digits and underscores, a letter first, at most 63", what, name)
	case slices.Contains(taken, name):
		l.fail(n, "%s %q is already taken", what, name)
	}
	return name
}
