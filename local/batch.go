package local

import (
	"iter"
	"time"

	"github.com/hydrant-go/hydrant/local/deliver"
)

const (
	// recordOverhead is what a record in a buffer is taken to cost beside its
	// bytes.
	recordOverhead = 64
	// A batch's memory grows by as much as it has, between these two.
	minChunk = 4 << 10
	maxChunk = 256 << 10
)

// record is a record on its way. Who keeps one has the memory, or copies it.
type record struct {
	data   []byte
	raw    []byte // as it was put, if it was processed since
	put    int    // bytes of what was put, which it stands for
	number uint64 // in the journal
	at     time.Time
}

// original is the record as it was put.
func (r *record) original() []byte {
	if r.raw != nil {
		return r.raw
	}
	return r.data
}

// single is a sequence of one record.
func single(r record) iter.Seq[record] {
	return func(yield func(record) bool) { yield(r) }
}

// batch is what is delivered at once, mostly as one object. It has copies of its
// records, so that none keeps the memory of others that were delivered long ago; and
// no pointers to them, which the garbage collector would have to follow.
type batch struct {
	seq    uint64
	since  time.Time // arrival of the oldest record
	chunks []chunk
	n      int // records
	bytes  int // of their data
	put    int // bytes that they stand for
	raw    int // bytes kept beside the data: what was put, where it was another
	holds  []*hold
	keys   partition

	// Of who has the turn.
	converted bool
	parts     [][]byte        // of the converted file
	object    *deliver.Object // made at the first attempt
	plan      *plan           // that it was made by
}

// chunk is some of a batch's records.
type chunk struct {
	memory []byte // their data
	places []place
	raws   []raw
}

// raw is what was put, of a record that was processed since. The parts of a whole share
// one.
type raw struct {
	number uint64
	data   []byte
}

// place is where a record is in its chunk.
type place struct {
	number uint64
	at     int64 // UnixNano
	from   uint32
	data   uint32 // bytes
	raw    int32  // in the chunk's raws; -1: none
	put    uint32
}

// partition is what dynamic partitioning has found for a batch's records.
type partition struct{ fromQuery, fromLambda map[string]string }

func (b *batch) weight() int64 { return int64(b.bytes + b.raw + b.n*recordOverhead) }

// add copies a record to the end.
func (b *batch) add(r record) {
	if r.at.Before(b.since) {
		b.since = r.at
	}
	last := len(b.chunks) - 1
	if last < 0 || len(r.data) > cap(b.chunks[last].memory)-len(b.chunks[last].memory) {
		grow := max(len(r.data), min(max(b.bytes, minChunk), maxChunk))
		b.chunks = append(b.chunks, chunk{memory: make([]byte, 0, grow)})
		last++
	}
	c := &b.chunks[last]
	p := place{number: r.number, at: r.at.UnixNano(), from: uint32(len(c.memory)), data: uint32(len(r.data)), raw: -1, put: uint32(r.put)}
	c.memory = append(c.memory, r.data...)
	if r.raw != nil {
		p.raw = b.keepRaw(c, &r, c.memory[p.from:])
	}
	c.places = append(c.places, p)
	b.n++
	b.bytes += len(r.data)
	b.put += r.put
}

// keepRaw keeps what was put of a record, and returns where it is in c.raws. data is
// the batch's copy of the record's data.
func (b *batch) keepRaw(c *chunk, r *record, data []byte) int32 {
	n := len(c.raws)
	switch {
	case same(r.raw, r.data):
		c.raws = append(c.raws, raw{r.number, data[:len(data):len(data)]})
	case n > 0 && c.raws[n-1].partOf(r):
		return int32(n - 1)
	case n == 0 && len(b.chunks) > 1 && b.lastRaw().partOf(r):
		c.raws = append(c.raws, b.lastRaw())
	default:
		c.raws = append(c.raws, raw{r.number, append([]byte{}, r.raw...)})
		b.raw += len(r.raw)
	}
	return int32(n)
}

// lastRaw is the last one of the chunk before the last.
func (b *batch) lastRaw() (w raw) {
	if raws := b.chunks[len(b.chunks)-2].raws; len(raws) > 0 {
		w = raws[len(raws)-1]
	}
	return w
}

// partOf tells whether w is what was put of r too, which is a later part of a whole.
func (w raw) partOf(r *record) bool {
	return r.put == 0 && w.number == r.number && len(w.data) == len(r.raw) && len(w.data) > 0
}

// same tells whether two are the same memory.
func same(a, b []byte) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

// record is a chunk's, whose memory it has.
func (c *chunk) record(i int) record {
	p := &c.places[i]
	memory := c.memory[p.from:]
	r := record{data: memory[:p.data:p.data], put: int(p.put), number: p.number, at: time.Unix(0, p.at)}
	if p.raw >= 0 {
		r.raw = c.raws[p.raw].data
	}
	return r
}

// all are the records, in order.
func (b *batch) all() iter.Seq[record] {
	return func(yield func(record) bool) {
		for i := range b.chunks {
			for j := range b.chunks[i].places {
				if !yield(b.chunks[i].record(j)) {
					return
				}
			}
		}
	}
}

// record is the one of an index.
func (b *batch) record(i int) record {
	for j := range b.chunks {
		if n := len(b.chunks[j].places); i >= n {
			i -= n
			continue
		}
		return b.chunks[j].record(i)
	}
	panic("a batch has no such record")
}

// data is what the records hold.
func (b *batch) data() [][]byte {
	list := make([][]byte, 0, b.n)
	for r := range b.all() {
		list = append(list, r.data)
	}
	return list
}

// drop takes the first n records away.
func (b *batch) drop(n int) {
	b.n -= n
	for n > 0 {
		c := &b.chunks[0]
		k := min(n, len(c.places))
		for _, p := range c.places[:k] {
			b.bytes -= int(p.data)
			b.put -= int(p.put)
		}
		c.places = c.places[k:]
		n -= k
		if len(c.places) == 0 {
			b.chunks = b.chunks[1:]
		}
	}
}
