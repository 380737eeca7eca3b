package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/hydrant-go/hydrant"
)

// ledger knows which lines of a dead letter file are settled: delivered, or in
// the next dead letter. FILE.progress holds it.
type ledger struct {
	path string // of FILE.progress

	mu      sync.Mutex // guards the fields below
	p       progressFile
	open    map[int64]*deadEntry // taken in this run and not settled, by number
	next    int64                // number of the next
	changed bool                 // since it was saved

	taken, delivered, again, maybe int64 // records of this run
}

// progressFile is the form of FILE.progress.
type progressFile struct {
	Version int    `json:"version"`
	Head    int64  `json:"head"`        // bytes of FILE's start that
	HeadSum string `json:"head_sha256"` // is of; tells FILE from another of its name
	Records int64  `json:"records"`     // settled
	// Read is the offset up to which all lines are settled, but for those that
	// begin in Left.
	Read int64  `json:"read"`
	Left []span `json:"left"`
	// Torn is where a last line ends that is cut short and begins at Read.
	Torn int64 `json:"torn,omitempty"`
	// Aside is the name that FILE gets, or has got, once all is settled.
	Aside string `json:"aside,omitempty"`
}

// span is of bytes, without the last.
type span [2]int64

// deadEntry is a record under way.
type deadEntry struct {
	span
	was  hydrant.DeadRecord // what the producer is not told
	kept bool               // it stays in FILE for the next run
}

const headBytes = 4096

// headOf is the checksum of a file's first n bytes; of as many as it has up to
// headBytes with n < 0.
func headOf(f io.ReaderAt, n int64) (int64, string, error) {
	sum := sha256.New()
	got, err := io.Copy(sum, io.NewSectionReader(f, 0, cmp.Or(max(n, 0), headBytes)))
	if err == nil && n > 0 && got < n {
		err = io.ErrUnexpectedEOF
	}
	return got, hex.EncodeToString(sum.Sum(nil)), err
}

// sameHead tells whether a file is the one that the progress is about.
func (p *progressFile) sameHead(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	_, sum, err := headOf(f, p.Head)
	return err == nil && sum == p.HeadSum && p.Head > 0
}

// shorter tells whether a file that is not compressed has less than n bytes.
func shorter(name string, n int64) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	packed, packedErr := compressedFile(f)
	return err == nil && packedErr == nil && !packed && info.Size() < n
}

// readProgress returns nil where there is none.
func readProgress(path string) (*progressFile, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &progressFile{}
	if err := json.Unmarshal(data, p); err != nil || p.Version != 1 {
		return nil, fmt.Errorf("%s can't be read (version %d, %v)\nhint: --restart begins anew, and sends again what was delivered", path, p.Version, err)
	}
	return p, nil
}

// openLedger goes on with what an earlier run has left, unless told to begin anew.
func openLedger(name string, f io.ReaderAt, restart bool) (*ledger, error) {
	l := &ledger{path: name + ".progress", open: map[int64]*deadEntry{}}
	if !restart {
		p, err := readProgress(l.path)
		if err != nil {
			return nil, err
		}
		if p != nil && (!p.sameHead(name) || shorter(name, p.Read)) {
			return nil, fmt.Errorf("%s is about another file that had the name %s\nhint: --restart sends all of this one", l.path, name)
		}
		if p != nil {
			if info, err := os.Stat(p.Aside); err == nil && info.Size() == 0 {
				_ = os.Remove(p.Aside) // reserved by a run that was killed before the rename
			}
			p.Aside, p.Torn = "", 0
			l.p = *p
			return l, nil
		}
	}
	var err error
	l.p.Version = 1
	l.p.Head, l.p.HeadSum, err = headOf(f, -1)
	return l, err
}

// wants tells whether the line at an offset is not settled, nor taken.
func (l *ledger) wants(offset int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset >= l.p.Read {
		return true
	}
	_, in := slices.BinarySearchFunc(l.p.Left, offset, func(s span, at int64) int {
		switch {
		case s[1] <= at:
			return -1
		case s[0] > at:
			return 1
		}
		return 0
	})
	return in
}

// passLocked notes that a line was read. Lines come in the file's order.
func (l *ledger) passLocked(d *deadLine) {
	l.changed = true
	if d.offset >= l.p.Read {
		l.p.Read = d.end
		return
	}
	for len(l.p.Left) > 0 && l.p.Left[0][1] <= d.end {
		l.p.Left = l.p.Left[1:]
	}
	if len(l.p.Left) > 0 {
		l.p.Left[0][0] = max(l.p.Left[0][0], d.end)
	}
}

// pass is for a line that needs nothing more.
func (l *ledger) pass(d *deadLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passLocked(d)
}

// take notes that a record is under way, and returns its number.
func (l *ledger) take(d *deadLine) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passLocked(d)
	l.open[l.next] = &deadEntry{span: span{d.offset, d.end}, was: hydrant.DeadRecord{
		Source: d.Source, Position: d.Position, Attempts: d.Attempts, First: d.First, MaybeDelivered: d.MaybeDelivered,
	}}
	l.next++
	l.taken++
	return l.next - 1
}

// settle notes a record's fate.
func (l *ledger) settle(n int64, ack hydrant.Ack) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.open[n]
	if e.kept {
		return
	}
	delete(l.open, n)
	l.p.Records++
	l.changed = true
	if ack.Err != nil {
		l.again++
		return
	}
	l.delivered++
	if ack.MaybeDuplicate || e.was.MaybeDelivered {
		l.maybe++
	}
}

// keep leaves records in FILE, whatever is said of them later.
func (l *ledger) keep(records []hydrant.DeadRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		l.open[r.Position].kept = true
	}
}

// restore gives records that failed again what was known of them before: the
// producer knows them by their numbers.
func (l *ledger) restore(records []hydrant.DeadRecord) []hydrant.DeadRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	records = slices.Clone(records)
	for i := range records {
		r := &records[i]
		was := l.open[r.Position].was
		r.Source, r.Position, r.First = was.Source, was.Position, was.First
		r.Attempts += was.Attempts
		r.MaybeDelivered = r.MaybeDelivered || was.MaybeDelivered
	}
	return records
}

// done tells whether all that was read is settled.
func (l *ledger) done() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open) == 0 && len(l.p.Left) == 0
}

// save writes FILE.progress. What is settled is on disk already, in Firehose's
// hands or in the next dead letter, so a crash at any moment repeats some records
// and loses none.
func (l *ledger) save() error {
	l.mu.Lock()
	p := l.p
	left := slices.Clone(p.Left)
	for e := range maps.Values(l.open) {
		left = append(left, e.span)
	}
	changed := l.changed
	l.changed = false
	l.mu.Unlock()
	if !changed {
		return nil
	}
	p.Left = joined(left)
	data, err := json.Marshal(p)
	if err == nil {
		err = replaceSynced(l.path, append(data, '\n'))
	}
	if err != nil {
		l.mu.Lock()
		l.changed = true
		l.mu.Unlock()
		return fmt.Errorf("keep the progress: %w", err)
	}
	return nil
}

// joined sorts spans, and joins those that touch.
func joined(list []span) []span {
	slices.SortFunc(list, func(a, b span) int { return cmp.Compare(a[0], b[0]) })
	out := []span{}
	for _, s := range list {
		if last := len(out) - 1; last >= 0 && out[last][1] == s[0] {
			out[last][1] = s[1]
		} else {
			out = append(out, s)
		}
	}
	return out
}
