package hydrant

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression says how what Firehose gets is compressed.
type Compression int

const (
	// CompressNone sends records as they are.
	CompressNone Compression = iota
	// CompressGzip makes each pack a gzip file. S3 objects made of such packs are
	// gzip files too: gunzip and most readers take many in one.
	CompressGzip
	// CompressZstd makes each pack a zstd frame, and S3 objects files of frames.
	CompressZstd
)

// compressionSlack is more than gzip or zstd add to 1,024,000 bytes that can't be
// compressed.
const compressionSlack = 512

// compressor appends src, compressed, to dst. It is safe for many goroutines.
type compressor func(dst, src []byte) []byte

// compressor is nil where nothing is compressed.
func (c Compression) compressor() (compressor, error) {
	switch c {
	case CompressGzip:
		return appendGzip, nil
	case CompressZstd:
		// As lean as the defaults' ratio allows: a pack is seldom longer.
		enc, err := zstd.NewWriter(nil, zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("hydrant: zstd: %w", err)
		}
		return func(dst, src []byte) []byte { return enc.EncodeAll(src, dst) }, nil
	}
	return nil, nil
}

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func appendGzip(dst, src []byte) []byte {
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	out := bytes.NewBuffer(dst)
	w.Reset(out)
	_, _ = w.Write(src) // a bytes.Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// compress gives b's packs the bytes that are sent. One that stays longer than
// most is cut in two, as long as it has two members.
func (b *batch) compress(do compressor, most int) {
	for i := 0; i < len(b.packs); i++ {
		k := &b.packs[i]
		if k.coded == nil {
			k.coded = do(make([]byte, 0, len(k.raw)/4), k.raw)
		}
		if len(k.coded) > most && k.n > 1 {
			first, second := k.halves()
			b.packs = slices.Replace(b.packs, i, i+1, first, second)
			i--
		}
	}
}

// compress does so for all that c carries, and gives back to the stream what is
// too much for one call then.
func (c *call) compress() {
	s, p := c.stream, c.stream.p
	raw, sent := 0, 0 // of what had not been compressed before
	for _, b := range c.parts {
		fresh := b.packs[0].coded == nil
		b.compress(p.compress, p.cfg.PackBytes)
		if fresh {
			raw, sent = raw+len(b.arena), sent+b.bytes()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if raw > 0 {
		s.shrunkLocked(float64(raw) / float64(sent))
	}
	fit, packs, bytes := 0, 0, 0
	for fit < len(c.parts) {
		b := c.parts[fit]
		packs, bytes = packs+len(b.packs), bytes+b.bytes()
		if packs > c.limits.callPacks || bytes > c.limits.sentBytes {
			break
		}
		fit++
	}
	back := c.parts[fit:]
	c.parts = c.parts[:fit:fit]
	if fit == 0 {
		if head := back[0].split(c.limits); head != nil {
			c.parts = []*batch{head}
		} else {
			c.parts, back = back[:1:1], back[1:]
		}
	}
	s.again = append(back[:len(back):len(back)], s.again...)
	c.loadLocked()
	c.boardLocked()
	s.dispatchLocked()
}

// fill is how full packs are to be by what is expected, as not all shrink alike.
const fill = 0.95

// learning is how much one call's compression says about the next one's.
const learning = 0.25

// shrunkLocked learns how much smaller packs get, to fill them by their size as
// they are sent. Data that shrinks less than expected counts at once.
func (s *stream) shrunkLocked(ratio float64) {
	s.shrink = min(max(1, ratio), s.shrink+learning*(ratio-s.shrink))
	s.packLocked(s.packing)
}

// unshrunkLocked are the limits of what is put, when l are those of what is sent.
func (s *stream) unshrunkLocked(l limits) limits {
	if s.p.compress != nil {
		l.packBytes = int(float64(l.packBytes) * s.shrink * fill)
		l.callBytes = int(float64(l.callBytes) * s.shrink * fill)
	}
	return l
}
