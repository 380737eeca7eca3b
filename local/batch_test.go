package local

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBatchKeepsWhatWasPut: of each record, and of all that are left.
func TestBatchKeepsWhatWasPut(t *testing.T) {
	at := time.Unix(1789014240, 448e6)
	list := []record{
		{data: []byte("as it was"), put: 9, number: 1, at: at},
		{data: []byte("shorter"), raw: []byte("what was longer"), put: 15, number: 2, at: at},
		{data: []byte("a part"), raw: []byte("what was longer"), put: 0, number: 2, at: at},
		{data: []byte("of an empty one"), raw: []byte{}, put: 0, number: 3, at: at},
	}
	b := &batch{since: at}
	for _, r := range list {
		b.add(r)
	}
	var got []record
	for r := range b.all() {
		got = append(got, r)
	}
	if diff := cmp.Diff(list, got, cmp.AllowUnexported(record{})); diff != "" || b.put != 24 {
		t.Errorf("%d bytes were put; records (-want +got):\n%s", b.put, diff)
	}
	if b.raw != len("what was longer") {
		t.Errorf("%d bytes are kept of what was put, want them once", b.raw)
	}
	if b.drop(1); b.put != 15 || b.n != 3 {
		t.Errorf("without the first %d records, for %d bytes", b.n, b.put)
	}
}

// TestPartsOfLargeRecord: a large record whose parts all have it as what was put is kept
// once for each batch, and counts.
func TestPartsOfLargeRecord(t *testing.T) {
	whole := make([]byte, 1<<20)
	b := &batch{since: time.Now()}
	for i := range 500 {
		r := record{data: make([]byte, 2000), raw: whole, number: 7, at: b.since}
		if i == 0 {
			r.put = len(whole)
		}
		b.add(r)
	}
	b.add(record{data: make([]byte, 2000), raw: whole, put: len(whole), number: 8, at: b.since})
	if b.raw != 2<<20 || b.weight() < 3_000_000 {
		t.Errorf("%d bytes are kept of 2 MiB that were put, weight %d", b.raw, b.weight())
	}
	if last := b.record(499); !same(last.raw, b.record(0).raw) || last.number != 7 {
		t.Errorf("the last part is of record %d, with other memory", last.number)
	}
	unchanged := record{data: whole, raw: whole, put: len(whole), number: 9, at: b.since}
	if b.add(unchanged); b.raw != 2<<20 {
		t.Error("what was not changed is kept twice")
	}
}

func TestNumberOf(t *testing.T) {
	if a, b := numberOf(sequence(1<<63+7)), numberOf(sequence(12)+".003"); a != 1<<63+7 || b != 12 {
		t.Errorf("numbers %d and %d", a, b)
	}
}
