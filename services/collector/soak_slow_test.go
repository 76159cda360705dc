package collector_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"
)

// connection is one that no http.Client would use like that.
func (s *soak) connection(use func(net.Conn) error) error {
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(bound)); err != nil {
		return err
	}
	return use(conn)
}

// slowSource is whose events the slow clients send.
const slowSource = "slow"

// head is that of a track call of size bytes.
func head(size int) string {
	return fmt.Sprintf("POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n", basic(slowSource), size)
}

// stalls sends half a header, and no more.
func stalls(s *soak, random *rand.Rand, _ string) error {
	return s.connection(func(conn net.Conn) error {
		text := head(10)
		if _, err := io.WriteString(conn, text[:1+random.IntN(len(text)-4)]); err != nil {
			return err
		}
		return ends(conn)
	})
}

// babbles sends what is no HTTP.
func babbles(s *soak, random *rand.Rand, _ string) error {
	return s.connection(func(conn net.Conn) error {
		noise := make([]byte, 1+random.IntN(4096))
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		if _, err := conn.Write(noise); err != nil {
			return ignoreReset(err)
		}
		return ends(conn)
	})
}

// ends waits until the collector has closed the connection.
func ends(conn net.Conn) error {
	_, err := io.Copy(io.Discard, conn)
	return ignoreReset(err)
}

// ignoreReset leaves over what is no way to close a connection.
func ignoreReset(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("the connection was not cut off: %w", err)
	}
	return nil
}

// dawdles sends a header, and a part of the body: 408.
func dawdles(s *soak, random *rand.Rand, id string) error {
	return s.connection(func(conn net.Conn) error {
		body := soakTrack(id, false)
		if _, err := io.WriteString(conn, head(len(body))+body[:random.IntN(len(body))]); err != nil {
			return err
		}
		return s.reads(conn, http.StatusRequestTimeout, 0)
	})
}

// trickles sends a good request piece by piece, in time.
func trickles(s *soak, random *rand.Rand, id string) error {
	return s.connection(func(conn net.Conn) error {
		body := soakTrack(id, false)
		text := head(len(body)) + body
		pause := time.NewTicker(10 * time.Millisecond)
		defer pause.Stop()
		for len(text) > 0 {
			n := min(len(text), 10+random.IntN(40))
			if _, err := io.WriteString(conn, text[:n]); err != nil {
				return err
			}
			text = text[n:]
			<-pause.C
		}
		return s.reads(conn, http.StatusOK, 1)
	})
}

// reads the status line.
func (s *soak) reads(conn net.Conn, want, good int) error {
	line := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, line); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if string(line) != "HTTP/1.1 "+status(want) {
		return fmt.Errorf("answered %q, want %d", line, want)
	}
	s.told.answer(want, slowSource, good, 0)
	return nil
}

// hangsUp does not wait for the answer. The event counts all the same.
func hangsUp(s *soak, _ *rand.Rand, id string) error {
	return s.connection(func(conn net.Conn) error {
		body := soakTrack(id, false)
		if _, err := io.WriteString(conn, head(len(body))+body); err != nil {
			return err
		}
		s.told.answer(http.StatusOK, slowSource, 1, 0)
		return nil
	})
}

// breaksOff in the middle of the body: no event, and 400 that nobody reads.
func breaksOff(s *soak, random *rand.Rand, id string) error {
	return s.connection(func(conn net.Conn) error {
		body := soakTrack(id, false)
		if _, err := io.WriteString(conn, head(len(body))+body[:random.IntN(len(body))]); err != nil {
			return err
		}
		s.told.answer(http.StatusBadRequest, slowSource, 0, 0)
		return nil
	})
}

func slowKinds() []kind {
	return []kind{
		{"half a header", stalls},
		{"no HTTP", babbles},
		{"half a body", dawdles},
		{"byte by byte", trickles},
		{"hangs up", hangsUp},
		{"breaks off", breaksOff},
	}
}
