package local

import (
	"sync"
	"testing"
)

func TestRecordIDs(t *testing.T) {
	const calls, perCall = 8, 5000
	var mu sync.Mutex // guards seen
	seen := map[string]bool{}
	var wg sync.WaitGroup
	a, b := newRecordIDs(), newRecordIDs() // b is another process
	b.last.Store(a.last.Load())
	for call := range calls {
		wg.Go(func() {
			ids := []*recordIDs{a, b}[call%2]
			text := ids.next(perCall)
			mu.Lock()
			defer mu.Unlock()
			for i := range perCall {
				seen[text[i*224:][:224]] = true
			}
		})
	}
	wg.Wait()
	if len(seen) != calls*perCall {
		t.Errorf("%d different ids of %d", len(seen), calls*perCall)
	}
	for id := range seen {
		checkLooksRandom(t, id)
	}
}

// checkLooksRandom holds an id of random characters against what they give: 62.1
// different ones of 64, give or take 1.3.
func checkLooksRandom(t *testing.T, id string) {
	t.Helper()
	var used [256]int
	for i := range len(id) {
		used[id[i]]++
	}
	different := 0
	for _, c := range []byte(base64Alphabet) {
		if used[c] > 0 {
			different++
		}
	}
	total := 0
	for _, c := range []byte(base64Alphabet) {
		total += used[c]
	}
	if different < 50 || total != 224 {
		t.Fatalf("id %s: %d characters of the alphabet, %d different ones", id, total, different)
	}
}

func BenchmarkRecordIDs(b *testing.B) {
	ids := newRecordIDs()
	b.ReportAllocs()
	for b.Loop() {
		ids.next(500)
	}
}
