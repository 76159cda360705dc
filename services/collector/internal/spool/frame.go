package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// A frame is a head and a payload. The head has its own checksum, which covers
// the segment's number and the frame's offset too: so the next frame can be found
// behind a damaged one, and no bytes of an event can pass for a frame.
//
//	0  marker          4
//	4  payload bytes   4
//	8  records         4
//	12 time            8   Unix milliseconds
//	20 payload's CRC   4
//	24 head's CRC      4
const headSize = 28

// maxPayload bounds what a head may claim.
const maxPayload = 1 << 30

const marker = "\xc3rn1"

func checksum(parts ...[]byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // the library has made it
	var sum uint32
	for _, p := range parts {
		sum = crc32.Update(sum, table, p)
	}
	return sum
}

type head struct {
	size    int64 // of the payload
	records int64
	at      time.Time
	sum     uint32
}

func place(segment uint64, offset int64) []byte {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], segment)
	binary.LittleEndian.PutUint64(b[8:], uint64(offset))
	return b[:]
}

// appendFrame appends a frame that will stand at the offset of the segment.
func appendFrame(dst []byte, segment uint64, offset int64, b *batch) []byte {
	start := len(dst)
	dst = append(dst, marker...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b.payload)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(b.records))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.at.UnixMilli()))
	dst = binary.LittleEndian.AppendUint32(dst, checksum(b.payload))
	dst = binary.LittleEndian.AppendUint32(dst, checksum(place(segment, offset), dst[start:]))
	return append(dst, b.payload...)
}

// readHead reads the head of a frame; ok is false where none is.
func readHead(b []byte, segment uint64, offset int64) (h head, ok bool) {
	if len(b) < headSize || string(b[:len(marker)]) != marker {
		return head{}, false
	}
	if binary.LittleEndian.Uint32(b[24:]) != checksum(place(segment, offset), b[:24]) {
		return head{}, false
	}
	h = head{
		size: int64(binary.LittleEndian.Uint32(b[4:])), records: int64(binary.LittleEndian.Uint32(b[8:])),
		at: time.UnixMilli(int64(binary.LittleEndian.Uint64(b[12:]))), sum: binary.LittleEndian.Uint32(b[20:]),
	}
	return h, h.size <= maxPayload
}

// findHead is where the first head at or behind from begins, or -1. text begins
// at offset base of the segment.
func findHead(text []byte, from int, segment uint64, base int64) int {
	for {
		i := bytes.Index(text[from:], []byte(marker))
		if i < 0 {
			return -1
		}
		from += i
		if h, ok := readHead(text[from:], segment, base+int64(from)); ok && int64(len(text)-from-headSize) >= h.size {
			return from
		}
		from++
	}
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// appendRecords writes the payload.
func appendRecords(dst []byte, records []Record) []byte {
	for i := range records {
		r := &records[i]
		if r.Key == nil {
			dst = append(dst, 0)
		} else {
			dst = appendBytes(append(dst, 1), r.Key)
		}
		dst = appendBytes(dst, r.Value)
		dst = binary.AppendVarint(dst, r.Time.UnixMilli())
		dst = binary.AppendUvarint(dst, uint64(len(r.Headers)))
		for _, h := range r.Headers {
			dst = appendBytes(appendBytes(dst, []byte(h.Key)), h.Value)
		}
	}
	return dst
}

var errPayload = errors.New("a frame's checksum is right, but not what it holds: another version wrote it")

// payloadReader takes a payload apart. What it returns aliases it.
type payloadReader struct {
	rest []byte
	bad  bool
}

func (p *payloadReader) uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 {
		p.bad, p.rest = true, nil
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *payloadReader) varint() int64 {
	v, n := binary.Varint(p.rest)
	if n <= 0 {
		p.bad, p.rest = true, nil
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *payloadReader) bytes() []byte {
	n := p.uvarint()
	if n > uint64(len(p.rest)) {
		p.bad, p.rest = true, nil
		return nil
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

// readRecords appends the payload's records to dst. They alias it.
func readRecords(dst []Record, payload []byte) ([]Record, error) {
	p := payloadReader{rest: payload}
	for len(p.rest) > 0 {
		var r Record
		switch p.uvarint() {
		case 0:
		case 1:
			r.Key = p.bytes()
		default:
			p.bad = true
		}
		r.Value = p.bytes()
		r.Time = time.UnixMilli(p.varint())
		n := p.uvarint()
		if p.bad || n > uint64(len(p.rest)) {
			return dst, errPayload
		}
		for range n {
			r.Headers = append(r.Headers, Header{Key: string(p.bytes()), Value: p.bytes()})
		}
		if p.bad {
			return dst, errPayload
		}
		dst = append(dst, r)
	}
	return dst, nil
}
