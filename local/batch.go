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
	memory []byte
	places []place
}

// place is where a record is in its chunk.
type place struct {
	number uint64
	at     int64 // UnixNano
	from   uint32
	data   uint32 // bytes
	raw    int32  // bytes, behind the data; -1: there is none
	put    uint32
}

// partition is what dynamic partitioning has found for a batch's records.
type partition struct{ fromQuery, fromLambda map[string]string }

func (b *batch) weight() int64 { return int64(b.bytes + b.n*recordOverhead) }

// add copies a record to the end.
func (b *batch) add(r record) {
	if r.at.Before(b.since) {
		b.since = r.at
	}
	last, size := len(b.chunks)-1, len(r.data)+len(r.raw)
	if last < 0 || size > cap(b.chunks[last].memory)-len(b.chunks[last].memory) {
		grow := max(size, min(max(b.bytes, minChunk), maxChunk))
		b.chunks = append(b.chunks, chunk{memory: make([]byte, 0, grow)})
		last++
	}
	c := &b.chunks[last]
	p := place{number: r.number, at: r.at.UnixNano(), from: uint32(len(c.memory)), data: uint32(len(r.data)), raw: -1, put: uint32(r.put)}
	if r.raw != nil {
		p.raw = int32(len(r.raw))
	}
	c.memory = append(append(c.memory, r.data...), r.raw...)
	c.places = append(c.places, p)
	b.n++
	b.bytes += len(r.data)
	b.put += r.put
}

// record is a chunk's, whose memory it has.
func (c *chunk) record(i int) record {
	p := &c.places[i]
	memory := c.memory[p.from:]
	r := record{data: memory[:p.data:p.data], put: int(p.put), number: p.number, at: time.Unix(0, p.at)}
	if p.raw >= 0 {
		r.raw = memory[p.data:][:p.raw:p.raw]
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
