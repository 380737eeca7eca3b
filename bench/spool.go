package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hydrant-go/hydrant/internal/vfs"
	"github.com/hydrant-go/hydrant/spool"
)

// countingFS counts what is synced.
type countingFS struct {
	vfs.OS
	n *atomic.Int64
}

type countingFile struct {
	vfs.File
	n *atomic.Int64
}

func (c countingFS) Create(name string) (vfs.File, error) { return c.file(c.OS.Create(name)) }
func (c countingFS) Open(name string) (vfs.File, error)   { return c.file(c.OS.Open(name)) }

func (c countingFS) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return countingFile{f, c.n}, nil
}

func (f countingFile) Sync() error {
	f.n.Add(1)
	return f.File.Sync()
}

// The appenders put batches of records on the disk, each of them durable before its
// goroutine goes on, for the job's time, and count.

// loops runs put on the job's goroutines until its time is over, and counts.
func loops(j job, r *result, put func() error) error {
	var wg sync.WaitGroup
	var n atomic.Int64
	errs := make([]error, j.Goroutines)
	start := time.Now()
	for i := range errs {
		wg.Go(func() {
			for errs[i] == nil && time.Since(start).Seconds() < j.Seconds {
				errs[i] = put()
				n.Add(int64(j.Batch))
			}
		})
	}
	wg.Wait()
	r.Records, r.Elapsed = int(n.Load()), time.Since(start).Seconds()
	return errors.Join(errs...)
}

// appendPlain writes the bytes of each batch behind the others, and syncs them.
func appendPlain(j job, r *result) error {
	f, err := vfs.OS{}.Create(filepath.Join(j.Dir, "plain"))
	if err != nil {
		return err
	}
	defer f.Close()
	data := []byte(strings.Repeat(string(record(j.Size)), j.Batch))
	var end, syncs atomic.Int64
	defer func() { r.Syncs = syncs.Load() }()
	return loops(j, r, func() error {
		if _, err := f.WriteAt(data, end.Add(int64(len(data)))-int64(len(data))); err != nil {
			return err
		}
		syncs.Add(1)
		return f.Sync()
	})
}

const plenty = 1 << 40 // bytes that a spool may take

func appendSpool(j job, r *result) error {
	var syncs atomic.Int64
	s, err := spool.Open(filepath.Join(j.Dir, "spool"), spool.Options{MaxBytes: plenty, SegmentBytes: 64 << 20, FS: countingFS{n: &syncs}})
	if err != nil {
		return err
	}
	q, err := s.Queue(stream)
	if err != nil {
		return err
	}
	batch := make([]spool.Record, j.Batch)
	for i := range batch {
		batch[i].Data = record(j.Size)
	}
	err = loops(j, r, func() error {
		_, err := q.Append(context.Background(), batch...)
		return err
	})
	r.Syncs = syncs.Load()
	return errors.Join(err, s.Close())
}

// appendBolt makes one transaction of each batch, under keys that go up by one.
// With several goroutines DB.Batch joins them, as its documentation advises. Tuned,
// it has what helps this use: no free list on disk, full pages, a batch that
// starts when all goroutines have joined it.
func appendBolt(j job, r *result, tuned bool) error {
	o := *bbolt.DefaultOptions
	if tuned {
		o.NoFreelistSync, o.FreelistType, o.InitialMmapSize = true, bbolt.FreelistMapType, 1<<32
	}
	db, err := bbolt.Open(filepath.Join(j.Dir, "bolt"), 0o600, &o)
	if err != nil {
		return err
	}
	if tuned {
		db.MaxBatchSize, db.AllocSize = j.Goroutines, 256<<20
	}
	name, data := []byte(stream), record(j.Size)
	put := func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(name)
		if err != nil {
			return err
		}
		if tuned {
			b.FillPercent = 1
		}
		for range j.Batch {
			n, err := b.NextSequence()
			if err != nil {
				return err
			}
			if err := b.Put(binary.BigEndian.AppendUint64(nil, n), data); err != nil {
				return err
			}
		}
		return nil
	}
	write := db.Update
	if j.Goroutines > 1 {
		write = db.Batch
	}
	return errors.Join(loops(j, r, func() error { return write(put) }), db.Close())
}

// fillSpool fills a spool with so many records, and leaves it as a process does
// that is killed.
func fillSpool(j job, r *result) error {
	s, err := spool.Open(j.Dir, spool.Options{MaxBytes: plenty, SegmentBytes: 64 << 20, SyncEvery: time.Second})
	if err != nil {
		return err
	}
	q, err := s.Queue(stream)
	if err != nil {
		return err
	}
	batch := make([]spool.Record, 1024)
	for i := range batch {
		batch[i].Data = record(j.Size)
	}
	for n := 0; n < j.Records; n += len(batch) {
		if _, err := q.Append(context.Background(), batch...); err != nil {
			return err
		}
	}
	return nil
}

// openSpool opens a spool after a crash, which is what it takes the time of, and
// leaves it as it found it.
func openSpool(j job, r *result) error {
	start := time.Now()
	s, err := spool.Open(j.Dir, spool.Options{MaxBytes: plenty})
	if err != nil {
		return err
	}
	r.Elapsed = time.Since(start).Seconds()
	if n := s.Totals().Records; n < int64(j.Records) {
		return fmt.Errorf("the spool holds %d of %d records", n, j.Records)
	}
	return nil
}

// verifySpool reads all of it.
func verifySpool(j job, r *result) error {
	n, _, err := spool.Verify(j.Dir, spool.Options{MaxBytes: plenty})
	if err == nil && n < int64(j.Records) {
		err = fmt.Errorf("%d of %d records can be read", n, j.Records)
	}
	return err
}

// diskRead is how many bytes this process has had read from a disk, where the
// system tells.
func diskRead() (n int64) {
	text, _ := os.ReadFile("/proc/self/io")
	_, rest, _ := strings.Cut(string(text), "\nread_bytes: ")
	_, _ = fmt.Fscan(strings.NewReader(rest), &n)
	return n
}

// chill makes the system forget what it has in memory of a folder's files.
func chill(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return errors.Join(f.Sync(), forget(f))
	})
}
