package local

import (
	"iter"
	"time"

	"github.com/hydrant-go/hydrant/local/deliver"
)

const (
	// recordOverhead is what a record in a buffer is taken to cost beside its
	// bytes.
	recordOverhead = 96
	// shortRun is how many records are copied rather than kept where they are.
	shortRun = 16
)

// record is a record in a buffer.
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

// batch is what is delivered at once, mostly as one object.
type batch struct {
	seq   uint64
	since time.Time // arrival of the oldest record
	// runs are the records, in order. A run is mostly all that was read from the
	// journal at once, which is in several buffers then: nobody changes it.
	runs  [][]record
	n     int // records
	bytes int
	holds []*hold
	keys  partition

	// Of who has the turn.
	converted bool
	parts     [][]byte        // of the converted file
	object    *deliver.Object // made at the first attempt
	plan      *plan           // that it was made by
}

// partition is what dynamic partitioning has found for a batch's records.
type partition struct{ fromQuery, fromLambda map[string]string }

func (b *batch) weight() int64 { return int64(b.bytes + b.n*recordOverhead) }

// add adds records until there are size bytes, and returns how many.
func (b *batch) add(records []record, size int) (n int) {
	for n < len(records) && b.bytes < size {
		r := &records[n]
		if r.at.Before(b.since) {
			b.since = r.at
		}
		b.bytes += len(r.data)
		n++
	}
	b.n += n
	last := len(b.runs) - 1
	switch run := records[:n:n]; {
	case last >= 0 && n <= cap(b.runs[last])-len(b.runs[last]):
		b.runs[last] = append(b.runs[last], run...)
	case n >= shortRun:
		b.runs = append(b.runs, run)
	default:
		b.runs = append(b.runs, append(make([]record, 0, max(shortRun, min(b.n, 1024))), run...))
	}
	return n
}

// all are the records by their index.
func (b *batch) all() iter.Seq2[int, *record] {
	return func(yield func(int, *record) bool) {
		i := 0
		for _, run := range b.runs {
			for j := range run {
				if !yield(i, &run[j]) {
					return
				}
				i++
			}
		}
	}
}

// record is the one of an index.
func (b *batch) record(i int) *record {
	for _, run := range b.runs {
		if i < len(run) {
			return &run[i]
		}
		i -= len(run)
	}
	panic("no such record")
}

// drop takes the first n records away.
func (b *batch) drop(n int) {
	b.n -= n
	for n > 0 {
		run := b.runs[0]
		k := min(n, len(run))
		for i := range run[:k] {
			b.bytes -= len(run[i].data)
		}
		if b.runs[0] = run[k:]; k == len(run) {
			b.runs = b.runs[1:]
		}
		n -= k
	}
}

// data is what the records hold.
func (b *batch) data() [][]byte {
	list := make([][]byte, 0, b.n)
	for _, r := range b.all() {
		list = append(list, r.data)
	}
	return list
}
