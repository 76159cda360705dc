// Package telemetry is what every service shows of itself: logs, health and
// metrics, and the admin server that carries the latter two.
package telemetry

import (
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

// Log formats.
const (
	FormatAuto    = "auto"    // console on a terminal, else JSON
	FormatJSON    = "json"    // one object a line
	FormatConsole = "console" // for people
)

// NewLogger makes a logger that writes to w. Level is debug, info, warn or
// error (empty: info); format is one of the Format constants (empty: auto).
// Writes are serialised, so one logger serves all goroutines. JSON lines have
// the fields time (RFC 3339, UTC, ms), level, logger, msg.
func NewLogger(w io.Writer, level, format string) (*zap.Logger, error) {
	if level == "" {
		level = "info"
	}
	lvl, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("log.level is %q: want debug, info, warn or error", level)
	}
	enc, err := encoder(w, format)
	if err != nil {
		return nil, err
	}
	core := zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(w)), lvl)
	return zap.New(core, zap.ErrorOutput(zapcore.Lock(zapcore.AddSync(w)))), nil
}

func encoder(w io.Writer, format string) (zapcore.Encoder, error) {
	if format == "" || format == FormatAuto {
		format = FormatJSON
		if IsTerminal(w) {
			format = FormatConsole
		}
	}
	conf := zap.NewProductionEncoderConfig()
	conf.TimeKey = "time"
	conf.EncodeDuration = zapcore.StringDurationEncoder
	switch format {
	case FormatJSON:
		conf.EncodeTime = zapcore.TimeEncoderOfLayout("2006-01-02T15:04:05.000Z07:00")
		return utcTimes{zapcore.NewJSONEncoder(conf)}, nil
	case FormatConsole:
		conf.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		conf.EncodeLevel = zapcore.CapitalLevelEncoder
		if IsTerminal(w) && os.Getenv("NO_COLOR") == "" {
			conf.EncodeLevel = zapcore.CapitalColorLevelEncoder
		}
		return zapcore.NewConsoleEncoder(conf), nil
	}
	return nil, fmt.Errorf("log.format is %q: want auto, json or console", format)
}

// IsTerminal says whether w is a terminal: whether a person, not a program,
// reads what is written to it.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
