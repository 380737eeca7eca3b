package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

// stateVersion is that of the checkpoints' format. docs/FORMAT.md describes it.
const stateVersion = 1

type state struct {
	Version int          `json:"version"`
	Saved   time.Time    `json:"saved"`
	Files   []checkpoint `json:"files"`
}

// checkpoint is what a restart has to know of a tail.
type checkpoint struct {
	Path string `json:"path"`
	Home string `json:"home"`
	fileID
	Offset int64     `json:"offset"` // everything before it is done
	From   int64     `json:"from"`
	End    int64     `json:"end"`
	CRC    uint32    `json:"crc32c"` // of the bytes from From to End
	Head   digest    `json:"head"`
	Last   digest    `json:"last"`
	Size   int64     `json:"size"`
	MTime  time.Time `json:"modified"`
	Wrote  time.Time `json:"written"`
	Seen   time.Time `json:"seen"`
	Left   time.Time `json:"left,omitzero"`
	Packed bool      `json:"compressed,omitempty"`
	Over   bool      `json:"finished,omitempty"`
	Lost   bool      `json:"lost,omitempty"`
	Fresh  bool      `json:"new,omitempty"` // only seen: what it is was not found out yet
}

// load makes tails of the checkpoints. The files of those that are not over are
// missing until they are found.
func (f *Follower) load(now time.Time) error {
	b, err := os.ReadFile(f.cfg.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read the checkpoints: %w", err)
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read the checkpoints %s: %w\nhint: the file is damaged or no file of checkpoints; "+
			"without it everything that is still there is read again", f.cfg.State, err)
	}
	if s.Version != stateVersion {
		return fmt.Errorf("the checkpoints %s have version %d, this program knows version %d\nhint: use the program that wrote them",
			f.cfg.State, s.Version, stateVersion)
	}
	f.first = false
	for _, c := range s.Files {
		t := &tail{
			path: c.Path, home: c.Home, id: c.fileID, packed: c.Packed, phase: missing, final: c.Packed,
			head: c.Head, from: c.From, end: c.End, crc: c.CRC, last: c.Last,
			read: c.Offset, held: c.Offset, settled: c.Offset, size: c.Size,
			mtime: c.MTime, wrote: c.Wrote, seen: c.Seen, left: c.Left, grown: now, missed: now, lost: c.Lost, fresh: c.Fresh,
		}
		f.tails = append(f.tails, t)
		if c.Over {
			t.phase = over
			continue
		}
		// In the order of the file, a path's younger ones come after its older.
		u := f.turns[t.path]
		if u == nil {
			u = &turn{since: t.wrote, until: now.Add(f.cfg.RotateWait)}
			f.turns[t.path] = u
		}
		if t.wrote.Before(u.since) {
			u.since = t.wrote
		}
		t.after, u.last = u.last, t
	}
	return nil
}

// save writes the checkpoints, where they have changed or must be written.
func (f *Follower) save(must bool) error {
	if f.cfg.State == "" {
		return nil
	}
	s, ok := f.snapshot(must)
	if !ok {
		return nil
	}
	b, err := json.Marshal(s)
	if err == nil {
		err = vfs.Replace(f.cfg.State, func(w io.Writer) error {
			_, err := w.Write(append(b, '\n'))
			return err
		})
	}
	if err != nil {
		f.mu.Lock()
		f.changed = true
		f.mu.Unlock()
		return fmt.Errorf("write the checkpoints: %w", err)
	}
	return nil
}

func (f *Follower) snapshot(must bool) (state, bool) {
	f.work.Lock()
	defer f.work.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.changed && !must {
		return state{}, false
	}
	f.changed = false
	s := state{Version: stateVersion, Saved: time.Now(), Files: []checkpoint{}}
	for _, t := range f.tails {
		if t.phase == over && (t.fresh || t.end == 0) {
			continue
		}
		c := checkpoint{
			Path: t.path, Home: t.home, fileID: t.id, Packed: t.packed,
			Head: t.head, From: t.from, End: t.end, CRC: t.crc, Last: t.last,
			Offset: t.settled, Size: t.size,
			MTime: t.mtime, Wrote: t.wrote, Seen: t.seen, Left: t.left, Lost: t.lost, Fresh: t.fresh,
			Over: t.phase == over && t.settled >= t.read,
		}
		s.Files = append(s.Files, c)
	}
	return s, true
}
