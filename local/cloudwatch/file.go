package cloudwatch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/internal/vfs"
)

// A store's file is a sequence of CBOR items: a header, then an item for every
// series that has samples.

const (
	fileFormat  = "hydrant metrics"
	fileVersion = 1
)

type fileHeader struct {
	Format  string
	Version int
	Series  int // how many follow
}

type storedSeries struct {
	_ struct{} `cbor:",toarray"`

	Account, Region, Namespace, Name, Unit string
	Dimensions                             []Dimension
	Tiers                                  [len(tiers)][]storedSet
}

type storedSet struct {
	_ struct{} `cbor:",toarray"`

	Start                int64
	Count, Sum, Min, Max float64
}

var fileMode = func() cbor.EncMode {
	mode, err := cbor.EncOptions{ShortestFloat: cbor.ShortestFloat16}.EncMode() // without loss
	if err != nil {
		panic("cloudwatch: " + err.Error()) // the options are constants
	}
	return mode
}()

// Save writes the store to a file, which after a crash is either the old or the new
// one. Samples may be taken meanwhile. Two must not save to one file at a time.
func (s *Store) Save(path string) error {
	now := time.Now()
	var kept []*Series
	for _, r := range s.all() {
		if r.last() > 0 {
			kept = append(kept, r)
		}
	}
	err := vfs.Replace(path, func(w io.Writer) error {
		enc := fileMode.NewEncoder(w)
		if err := enc.Encode(fileHeader{fileFormat, fileVersion, len(kept)}); err != nil {
			return err
		}
		for _, r := range kept {
			if err := enc.Encode(r.stored(now)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for _, r := range kept { // any of them may have been written
			r.mu.Lock()
			r.fresh = true
			r.mu.Unlock()
		}
		return fmt.Errorf("cloudwatch: save metrics: %w", err)
	}
	return nil
}

// Changed tells whether samples were taken since the last Save, or since the store
// was loaded.
func (s *Store) Changed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.series {
		r.mu.Lock()
		fresh := r.fresh
		r.mu.Unlock()
		if fresh {
			return true
		}
	}
	return false
}

func (r *Series) stored(now time.Time) storedSeries {
	k := &r.key
	out := storedSeries{Account: k.Account, Region: k.Region, Namespace: k.Namespace, Name: k.Name, Unit: k.Unit, Dimensions: k.Dimensions}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rollLocked(now)
	r.fresh = false
	for t, sets := range r.tiers {
		out.Tiers[t] = make([]storedSet, len(sets))
		for i, p := range sets {
			out.Tiers[t][i] = storedSet{Start: p.start, Count: p.count, Sum: p.sum, Min: p.min, Max: p.max}
		}
	}
	return out
}

// Load adds what Save has written to the store; that there is no such file is no
// error. After any other the store holds a part of it or nothing.
func (s *Store) Load(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cloudwatch: load metrics: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := s.load(bufio.NewReaderSize(f, 64<<10)); err != nil {
		return fmt.Errorf("cloudwatch: load metrics: %s: %w", path, err)
	}
	return nil
}

func (s *Store) load(r io.Reader) error {
	now := time.Now()
	dec := cbor.NewDecoder(r)
	var h fileHeader
	if err := dec.Decode(&h); err != nil || h.Format != fileFormat {
		return errors.New("this is not a file of metrics; move it away to begin anew")
	}
	if h.Version != fileVersion {
		return fmt.Errorf("its version is %d, this hydrant reads %d; use the hydrant that wrote it, or move it away to begin anew", h.Version, fileVersion)
	}
	for range h.Series {
		var in storedSeries
		if err := dec.Decode(&in); err != nil {
			return fmt.Errorf("it is cut short or damaged; move it away to begin anew: %w", err)
		}
		if err := s.restore(&in, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) restore(in *storedSeries, now time.Time) error {
	r := s.Series(Key{
		Caller: awsapi.Caller{Account: in.Account, Region: in.Region}, Namespace: in.Namespace, Name: in.Name, Unit: in.Unit, Dimensions: in.Dimensions,
	})
	r.mu.Lock()
	for t, sets := range in.Tiers {
		for _, p := range sets {
			if !p.valid(tiers[t].step) {
				r.mu.Unlock()
				return fmt.Errorf("it is damaged: the metric %s has the set %v; move it away to begin anew", in.Name, p)
			}
			r.insertLocked(t, set{p.Start, p.Count, p.Sum, p.Min, p.Max})
		}
	}
	r.rollLocked(now)
	r.mu.Unlock()
	if s.sets.Load() > maxSets {
		s.trim(now)
	}
	return nil
}

// valid: what cannot have been stored would break the store's promises.
func (p *storedSet) valid(step int64) bool {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	return p.Start > 0 && p.Start < math.MaxInt32*8 && p.Start%step == 0 && p.Count > 0 &&
		finite(p.Count) && finite(p.Sum) && finite(p.Min) && finite(p.Max)
}
