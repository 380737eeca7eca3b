package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

// The files of a store: groups.json, which holds groups and streams and is replaced
// at every change of them; and segments, events-00000001.jsonl and so on, with a line
// for every put. A segment is appended to until it holds a sixteenth of what may be
// kept. What is put is in the file when the put returns: it outlives the process,
// and, as nothing is synced before the segment is full, not always a power cut.

// parts is how many segments make up what may be kept.
const parts = 16

// journal is the segments. Of a store in memory it only counts.
type journal struct {
	dir      string // "" in memory
	limit    int64
	segments []segment // the last one is appended to
	file     *os.File  // the last one's; nil when the next put begins another
	closed   bool
}

type segment struct {
	number int
	bytes  int64
}

// line is an event as it lies in a segment.
type line struct {
	Time    int64  `json:"t"`
	Message string `json:"m"`
}

// entry is what one put has put.
type entry struct {
	Stream   uint64 `json:"stream"`
	Ingested int64  `json:"at"`
	First    uint64 `json:"seq"` // of the first event; the others' follow
	Events   []line `json:"events"`
}

func (j *journal) path(number int) string {
	return filepath.Join(j.dir, fmt.Sprintf("events-%08d.jsonl", number))
}

// put appends e. It returns e's segment, and whether it has begun that.
func (j *journal) put(e *entry) (number int, begun bool, err error) {
	if j.closed {
		return 0, false, errors.New("the store is closed")
	}
	text, size, err := j.encode(e)
	if err != nil {
		return 0, false, err
	}
	if n := len(j.segments); n == 0 || j.segments[n-1].bytes+size > j.limit/parts || j.dir != "" && j.file == nil {
		if err := j.begin(); err != nil {
			return 0, false, err
		}
		begun = true
	}
	last := &j.segments[len(j.segments)-1]
	if j.dir != "" {
		if _, err := j.file.Write(text); err != nil {
			// A part of a line may be there, which nothing may follow.
			err = errors.Join(err, j.file.Close())
			j.file = nil
			return 0, begun, err
		}
	}
	last.bytes += size
	return last.number, begun, nil
}

// encode makes a line of e; in memory it only tells about how large e is.
func (j *journal) encode(e *entry) (text []byte, size int64, err error) {
	if j.dir == "" {
		for _, l := range e.Events {
			size += int64(len(l.Message)) + 64
		}
		return nil, size, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // which ends the line
	enc.SetEscapeHTML(false)
	err = enc.Encode(e)
	return b.Bytes(), int64(b.Len()), err
}

// begin begins a segment.
func (j *journal) begin() error {
	number := 1
	if n := len(j.segments); n > 0 {
		number = j.segments[n-1].number + 1
	}
	if j.dir != "" {
		if err := j.end(); err != nil {
			return err
		}
		f, err := os.OpenFile(j.path(number), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		j.file = f
		if err := (vfs.OS{}).SyncDir(j.dir); err != nil {
			return err
		}
	}
	j.segments = append(j.segments, segment{number: number})
	return nil
}

// end syncs and closes the segment that is appended to.
func (j *journal) end() error {
	if j.file == nil {
		return nil
	}
	err := errors.Join(j.file.Sync(), j.file.Close())
	j.file = nil
	return err
}

// excess returns how many of the oldest segments are too many.
func (j *journal) excess() int {
	var total int64
	for _, s := range j.segments {
		total += s.bytes
	}
	n := 0
	for ; total > j.limit && n < len(j.segments)-1; n++ {
		total -= j.segments[n].bytes
	}
	return n
}

// keep removes the segments but those that are wanted, and the last.
func (j *journal) keep(wanted func(number int) bool) error {
	var kept []segment
	var errs []error
	for i, s := range j.segments {
		if i == len(j.segments)-1 || wanted(s.number) {
			kept = append(kept, s)
		} else if j.dir != "" {
			errs = append(errs, os.Remove(j.path(s.number)))
		}
	}
	j.segments = kept
	return errors.Join(errs...)
}

// open finds the segments and reads them, the oldest first. What cannot be read is
// passed over and logged; the last segment is cut back to its last whole line.
func (j *journal) open(log *slog.Logger, read func(number int, e *entry)) error {
	names, err := filepath.Glob(filepath.Join(j.dir, "events-*.jsonl"))
	if err != nil {
		return err
	}
	slices.Sort(names) // of 8 digits, or more in a very long life
	for i, name := range names {
		var number int
		if _, err := fmt.Sscanf(filepath.Base(name), "events-%d.jsonl", &number); err != nil || j.path(number) != name {
			log.Warn("a file among the logs is not one of them and is left alone", slog.String("file", name))
			continue
		}
		whole, err := j.read(log, name, number, read)
		if err != nil {
			return err
		}
		j.segments = append(j.segments, segment{number, whole})
		if i == len(names)-1 {
			if err := os.Truncate(name, whole); err != nil {
				return err
			}
			if j.file, err = os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads a segment and returns how long its whole lines are.
func (j *journal) read(log *slog.Logger, name string, number int, read func(int, *entry)) (whole int64, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	damaged := 0
	rest := text
	for {
		l, after, ok := bytes.Cut(rest, []byte{'\n'})
		if !ok {
			break
		}
		var e entry
		if err := json.Unmarshal(l, &e); err != nil {
			damaged++
		} else {
			read(number, &e)
		}
		rest = after
	}
	if damaged > 0 || len(rest) > 0 {
		log.Warn("logs are damaged, as after a power cut; what cannot be read is passed over",
			slog.String("file", name), slog.Int("damaged_lines", damaged), slog.Int("cut_bytes", len(rest)))
	}
	return int64(len(text) - len(rest)), nil
}

// replaceState writes the groups and streams; in memory it does nothing.
func (j *journal) replaceState(s *savedState) error {
	switch {
	case j.closed:
		return errors.New("the store is closed")
	case j.dir == "":
		return nil
	}
	return vfs.Replace(filepath.Join(j.dir, stateFile), func(w io.Writer) error { return json.NewEncoder(w).Encode(s) })
}
