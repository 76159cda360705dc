//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// logged is what the sessionizers' logs tell of a run.
type logged struct {
	restores, caughtUp, whole int // partitions: all, from a state on disk that was behind, from nothing
	anew                      int // steps that failed and were made anew by their process
	differences               []string
}

func (l *logged) String() string {
	return fmt.Sprintf("%d partitions restored with something to read (%d of them whole, %d followed up)", l.restores, l.whole, l.caughtUp)
}

// forbidden are words that no log may hold, whatever is killed.
func forbidden() []string {
	return []string{"different histories", "panic:", "fatal error:", "DATA RACE", "came after"}
}

// forbiddenIn is the first such word in a text, "" if there is none.
func forbiddenIn(text string) string {
	for _, word := range forbidden() {
		if strings.Contains(text, word) {
			return word
		}
	}
	return ""
}

// readLogs goes through the members' logs.
func (r *run) readLogs() (*logged, error) {
	l := &logged{}
	for _, m := range append([]*member{r.fourth}, r.members...) {
		if err := l.read(m.logPath()); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	return l, nil
}

func (l *logged) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		text := lines.Text()
		if forbiddenIn(text) != "" {
			l.differences = append(l.differences, "a log says: "+text[:min(len(text), 600)])
		}
		var line struct {
			Msg  string
			From int64
		}
		if json.Unmarshal([]byte(text), &line) != nil {
			continue // a line that a kill has torn
		}
		switch {
		case line.Msg == "state restored" && line.From == 0:
			l.restores++
			l.whole++
		case line.Msg == "state restored":
			l.restores++
			l.caughtUp++
		case strings.HasPrefix(line.Msg, "step failed"):
			l.anew++
		}
	}
	return lines.Err()
}
