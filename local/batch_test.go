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
	if b.drop(1); b.put != 15 || b.n != 3 {
		t.Errorf("without the first %d records, for %d bytes", b.n, b.put)
	}
}
