package scenario

import (
	"bytes"
	"context"
	"crypto/sha256"
	"sync"

	"github.com/hydrant-go/hydrant"
)

// ledger counts the copies of each record that were sent, found at the
// destination, and found in the dead letter. It keeps digests, not records.
type ledger struct {
	mu      sync.Mutex // guards entries
	entries map[digest]*entry
}

type digest [16]byte

type entry struct{ sent, found, dead int }

func newLedger() *ledger { return &ledger{entries: map[digest]*entry{}} }

// at returns the entry of a record, with or without its newline, for f to change.
func (l *ledger) at(record []byte, f func(*entry)) {
	sum := sha256.Sum256(bytes.TrimSuffix(record, []byte("\n")))
	key := digest(sum[:len(digest{})])
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[key]
	if e == nil {
		e = new(entry)
		l.entries[key] = e
	}
	f(e)
}

func (l *ledger) sent(record []byte)  { l.at(record, func(e *entry) { e.sent++ }) }
func (l *ledger) found(record []byte) { l.at(record, func(e *entry) { e.found++ }) }
func (l *ledger) died(record []byte)  { l.at(record, func(e *entry) { e.dead++ }) }

// tally is the comparison's result. Foreign counts records at the destination
// that nobody sent here.
type tally struct{ delivered, dead, lost, duplicates, foreign int }

func (l *ledger) tally() (t tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.sent == 0 {
			t.foreign += e.found
			continue
		}
		t.delivered += min(e.found, e.sent)
		t.duplicates += max(0, e.found-e.sent)
		t.dead += e.dead
		t.lost += max(0, e.sent-e.found-e.dead)
	}
	return t
}

// noted is the dead letter file, noted in the ledger.
type noted struct {
	*hydrant.DeadLetterFile
	ledger *ledger
}

func (n *noted) Write(ctx context.Context, records []hydrant.DeadRecord) error {
	if err := n.DeadLetterFile.Write(ctx, records); err != nil {
		return err
	}
	for _, r := range records {
		n.ledger.died(r.Data)
	}
	return nil
}
