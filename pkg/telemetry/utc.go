package telemetry

import (
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// utcTimes writes entry times in UTC, so that logs of machines in different
// zones sort together.
type utcTimes struct{ zapcore.Encoder }

func (u utcTimes) Clone() zapcore.Encoder { return utcTimes{u.Encoder.Clone()} }

func (u utcTimes) EncodeEntry(e zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	e.Time = e.Time.UTC()
	return u.Encoder.EncodeEntry(e, fields)
}
