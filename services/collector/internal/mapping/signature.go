package mapping

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Signature is how a system proves that a request is its own: an HMAC of the
// body in a header.
type Signature struct {
	header  string
	prefix  string
	base64  bool
	stamped bool // Stripe's form: t=TIME,v1=HEX signs TIME.BODY
	secret  []byte
}

// tolerance is how far a signed time may be from ours.
const tolerance = 5 * time.Minute

// minSecret is the shortest secret: shorter ones can be guessed.
const minSecret = 8

// Reasons why a request is not taken for the system's. They tell its owner what
// to look at, and others nothing.
var (
	errNoSignature = errors.New("the signature's header is missing")
	errSignature   = errors.New("the signature is wrong")
	errOld         = errors.New("the signed time is more than five minutes from now")
)

// Verify checks a request's signature. The error is one sentence without a full
// stop.
func (s *Signature) Verify(h http.Header, body []byte, now time.Time) error {
	given := h.Get(s.header)
	if given == "" {
		return errNoSignature
	}
	if s.stamped {
		return s.verifyStamped(given, body, now)
	}
	code, ok := strings.CutPrefix(given, s.prefix)
	if !ok || !s.equal(code, body) {
		return errSignature
	}
	return nil
}

// verifyStamped reads t=TIME,v1=CODE[,v1=CODE]: one code of several must do,
// while a secret is being changed.
func (s *Signature) verifyStamped(given string, body []byte, now time.Time) error {
	var stamp string
	var codes []string
	for part := range strings.SplitSeq(given, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			stamp = text
		case "v1":
			codes = append(codes, text)
		}
	}
	for _, code := range codes {
		if !s.equal(code, []byte(stamp+"."), body) {
			continue
		}
		seconds, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
			return errOld
		}
		return nil
	}
	return errSignature
}

// equal compares in a time that does not depend on how much is right.
func (s *Signature) equal(code string, parts ...[]byte) bool {
	var given []byte
	var err error
	if s.base64 {
		given, err = base64.StdEncoding.DecodeString(code)
	} else {
		given, err = hex.DecodeString(code)
	}
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, s.secret)
	for _, p := range parts {
		mac.Write(p)
	}
	return hmac.Equal(given, mac.Sum(nil))
}

// auth reads who may send: nil stands for a write key.
func (r *reader) auth(n ast.Node) *Signature {
	if _, isText := scalar(n); isText {
		r.oneOf(n, "auth", "write_key")
		return nil
	}
	o := r.object(n, "auth", "hmac")
	x, ok := o["hmac"]
	if !ok {
		r.fail(n, "auth is write_key, or a mapping with hmac")
		return nil
	}
	return r.hmac(x.value)
}

func (r *reader) hmac(n ast.Node) *Signature {
	s := new(Signature)
	o := r.object(n, "auth.hmac", "header", "algorithm", "encoding", "prefix", "scheme", "secret_env")
	for _, need := range [...]string{"header", "secret_env"} {
		if _, ok := o[need]; !ok {
			r.fail(n, "auth.hmac has no %s", need)
		}
	}
	if x, ok := o["header"]; ok {
		if s.header = r.text(x.value, "header"); strings.Trim(strings.ToLower(s.header), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			r.fail(x.value, "%q is no name of a header", s.header)
		}
	}
	if x, ok := o["algorithm"]; ok {
		r.oneOf(x.value, "algorithm", "sha256")
	}
	if x, ok := o["encoding"]; ok {
		s.base64 = r.oneOf(x.value, "encoding", "hex", "base64") == "base64"
	}
	if x, ok := o["prefix"]; ok {
		s.prefix = r.text(x.value, "prefix")
	}
	if x, ok := o["scheme"]; ok {
		s.stamped = r.oneOf(x.value, "scheme", "body", "stripe") == "stripe"
		if _, both := o["prefix"]; both && s.stamped {
			r.fail(o["prefix"].key, "the scheme stripe has no prefix")
		}
	}
	if x, ok := o["secret_env"]; ok {
		s.secret = r.secret(x.value)
	}
	return s
}

// secret is what the variable holds, or the file that NAME_FILE names. Errors do
// not repeat it.
func (r *reader) secret(n ast.Node) []byte {
	name := r.text(n, "secret_env")
	if name == "" {
		return nil
	}
	var text string
	if r.lookup != nil {
		text, _ = r.lookup(name)
		if file, ok := r.lookup(name + "_FILE"); ok && file != "" {
			if text != "" {
				r.fail(n, "%s and %s_FILE are both set: set one", name, name)
				return nil
			}
			content, err := os.ReadFile(file)
			if err != nil {
				r.fail(n, "%s_FILE: %v", name, err)
				return nil
			}
			text = strings.TrimRight(string(content), "\r\n") // as editors and echo leave it
		}
	}
	switch {
	case text == "":
		r.fail(n, "the secret has no value: set the environment variable %s, or name a file that holds it in %s_FILE", name, name)
	case len(text) < minSecret:
		r.fail(n, "the secret in %s is shorter than %d bytes", name, minSecret)
	}
	return []byte(text)
}
