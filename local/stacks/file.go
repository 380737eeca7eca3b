package stacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hydrant-go/hydrant/internal/vfs"
)

// Each stack has a file, which is replaced as a whole: before the answer to who asked
// for something; before anything is made, changed or removed in the world outside, so
// that it can be undone; and at the end of each phase.

const (
	fileFormat  = "hydrant stack"
	fileVersion = 1
	fileSuffix  = ".json"
)

type savedStack struct {
	Format  string
	Version int
	Stack   *stack
}

// load reads the files. Nobody else has the store yet.
func (s *Store) load() error {
	if s.cfg.Dir == "" {
		return nil
	}
	if err := (vfs.OS{}).Mkdir(s.cfg.Dir); err != nil {
		return fmt.Errorf("stacks: %w", err)
	}
	files, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("stacks: %w", err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), fileSuffix) {
			continue
		}
		name := filepath.Join(s.cfg.Dir, f.Name())
		st, err := readStack(name)
		if err != nil {
			return fmt.Errorf("stacks: %s: %w\nhint: mend it, or move it away to forget the stack and leave what it has made", name, err)
		}
		for _, e := range st.Events {
			st.eventBytes += e.bytes()
		}
		s.stacks[st.ID] = st
		if st.Deleted.IsZero() {
			s.names[st.key()] = st
		}
	}
	return nil
}

func readStack(name string) (*stack, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	saved := savedStack{Stack: &stack{}}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	switch err := d.Decode(&saved); {
	case err != nil:
		return nil, fmt.Errorf("it is damaged: %w", err)
	case saved.Format != fileFormat || saved.Version != fileVersion:
		return nil, fmt.Errorf("it is of the format %q, version %d; this hydrant reads %q, version %d", saved.Format, saved.Version, fileFormat, fileVersion)
	case saved.Stack == nil || saved.Stack.ID == "":
		return nil, errors.New("it is damaged: there is no stack in it")
	}
	return saved.Stack, saved.Stack.check()
}

// check tells whether the work on a stack that was read can go on.
func (st *stack) check() error {
	if st.Resources == nil {
		st.Resources = map[string]*resource{}
	}
	if st.Before == nil && strings.HasPrefix(st.Status, "UPDATE") && inProgress(st.Status) || inProgress(st.Status) && phases[st.Status] == nil {
		return fmt.Errorf("it is damaged: nobody knows how to go on from %s", st.Status)
	}
	all := slices.Collect(maps.Values(st.Resources))
	if st.Before != nil {
		all = slices.AppendSeq(all, maps.Values(st.Before.Resources))
	}
	for _, l := range st.Cleanup {
		if l == nil {
			return errors.New("it is damaged: there is nothing where a resource should be")
		}
		all = append(all, l.Resource)
	}
	for _, r := range all {
		var properties map[string]any
		switch {
		case r == nil:
			return errors.New("it is damaged: there is nothing where a resource should be")
		case types[r.Type] == nil:
			return fmt.Errorf("it has a resource of the type %s, which this hydrant does not know", r.Type)
		case json.Unmarshal(r.Properties, &properties) != nil:
			return fmt.Errorf("it is damaged: the properties of %s are none", r.ID)
		}
	}
	return nil
}

func (s *Store) fileName(st *stack) string {
	return filepath.Join(s.cfg.Dir, st.ID[strings.LastIndexByte(st.ID, '/')+1:]+fileSuffix)
}

// keep returns when the stack's file has what the stack is at the call. Of those that
// wait for one another, one writes for all.
func (s *Store) keep(st *stack) error {
	if s.cfg.Dir == "" {
		return nil
	}
	st.turn.Lock()
	defer st.turn.Unlock()
	s.mu.Lock()
	changes := st.changes
	if st.kept == changes || st.forgotten {
		s.mu.Unlock()
		return nil
	}
	text, err := json.Marshal(savedStack{fileFormat, fileVersion, st})
	s.mu.Unlock()
	if err == nil {
		err = vfs.Replace(s.fileName(st), func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("stacks: write down stack %s: %w", st.Name, err)
	}
	st.kept = changes
	return nil
}

// keepOrLog is keep where nobody is to be told.
func (s *Store) keepOrLog(st *stack) {
	if err := s.keep(st); err != nil {
		s.log.Error("a stack is not written down", slog.String("stack", st.Name), slog.Any("error", err))
	}
}

// removeFile removes the file of a stack that is forgotten.
func (s *Store) removeFile(st *stack) error {
	if s.cfg.Dir == "" {
		return nil
	}
	st.turn.Lock()
	defer st.turn.Unlock()
	if err := os.Remove(s.fileName(st)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("stacks: remove stack %s: %w", st.Name, err)
	}
	return nil
}
