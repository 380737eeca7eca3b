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
	maxChunk = 1 << 20
)

// record is a record on its way. Who keeps one has the memory, or copies it.
type record struct {
	data   []byte
	raw    []byte // as it was put, if it was processed since
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
	places []place   // of the records, in order
	chunks [][]byte  // what they hold
	bytes  int       // of their data
	holds  []*hold
	keys   partition

	// Of who has the turn.
	converted bool
	parts     [][]byte        // of the converted file
	object    *deliver.Object // made at the first attempt
	plan      *plan           // that it was made by
}

// place is where a record is in a batch.
type place struct {
	number      uint64
	at          int64 // UnixNano
	chunk, from uint32
	data        uint32 // bytes
	raw         int32  // bytes, behind the data; -1: there is none
}

// partition is what dynamic partitioning has found for a batch's records.
type partition struct{ fromQuery, fromLambda map[string]string }

func (b *batch) len() int { return len(b.places) }

func (b *batch) weight() int64 { return int64(b.bytes + len(b.places)*recordOverhead) }

// add copies a record to the end.
func (b *batch) add(r record) {
	if r.at.Before(b.since) {
		b.since = r.at
	}
	last, size := len(b.chunks)-1, len(r.data)+len(r.raw)
	if last < 0 || size > cap(b.chunks[last])-len(b.chunks[last]) {
		b.chunks = append(b.chunks, make([]byte, 0, max(size, min(max(b.bytes, minChunk), maxChunk))))
		last++
	}
	p := place{number: r.number, at: r.at.UnixNano(), chunk: uint32(last), from: uint32(len(b.chunks[last])), data: uint32(len(r.data)), raw: -1}
	if r.raw != nil {
		p.raw = int32(len(r.raw))
	}
	b.chunks[last] = append(append(b.chunks[last], r.data...), r.raw...)
	b.places = append(b.places, p)
	b.bytes += len(r.data)
}

// record is the one of an index. Its memory is the batch's.
func (b *batch) record(i int) record {
	p := &b.places[i]
	memory := b.chunks[p.chunk][p.from:]
	r := record{data: memory[:p.data:p.data], number: p.number, at: time.Unix(0, p.at)}
	if p.raw >= 0 {
		r.raw = memory[p.data:][:p.raw:p.raw]
	}
	return r
}

// all are the records, in order.
func (b *batch) all() iter.Seq[record] {
	return func(yield func(record) bool) {
		for i := range b.places {
			if !yield(b.record(i)) {
				return
			}
		}
	}
}

// data is what the records hold.
func (b *batch) data() [][]byte {
	list := make([][]byte, len(b.places))
	for i := range b.places {
		p := &b.places[i]
		list[i] = b.chunks[p.chunk][p.from:][:p.data:p.data]
	}
	return list
}

// drop takes the first n records away. Their memory goes with the others'.
func (b *batch) drop(n int) {
	for _, p := range b.places[:n] {
		b.bytes -= int(p.data)
	}
	b.places = b.places[n:]
}
