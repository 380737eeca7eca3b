package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	fast "github.com/segmentio/encoding/json"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/vfs"
	"github.com/hydrant-go/hydrant/source"
)

// deadLine is a line of a dead letter file. Offsets are those of the
// decompressed file.
type deadLine struct {
	hydrant.DeadRecord
	raw         []byte // valid until the next step
	line        int64
	offset, end int64
	err         error // it is no dead record
	torn        bool  // as it is the last line, and was cut short
}

// deadLines yields the lines of a dead letter, plain or compressed, but for empty
// ones. An error is the last. Those for which want is false are not looked into.
func deadLines(r io.Reader, want func(offset int64) bool) iter.Seq2[*deadLine, error] {
	return func(yield func(*deadLine, error) bool) {
		for rec, err := range source.NewReader(r, source.Lines).Records() {
			if err != nil {
				yield(nil, err)
				return
			}
			if !want(rec.Offset) || len(bytes.TrimSpace(rec.Data)) == 0 {
				continue
			}
			d := &deadLine{raw: rec.Data, line: rec.Line, offset: rec.Offset, end: rec.End}
			d.decode()
			d.torn = d.err != nil && !bytes.HasSuffix(rec.Data, []byte("\n"))
			if !yield(d, nil) {
				return
			}
		}
	}
}

// decode tries the decoder that is seven times as fast first. What that one
// refuses is for the standard library's to judge.
func (d *deadLine) decode() {
	if fast.Unmarshal(d.raw, &d.DeadRecord) != nil {
		d.DeadRecord = hydrant.DeadRecord{}
		d.err = json.Unmarshal(d.raw, &d.DeadRecord)
	}
	if d.err == nil && d.Stream == "" {
		d.err = errors.New(`it has no "stream"`)
	}
}

func everyLine(int64) bool { return true }

// wrong is what people are told of a bad line.
func (d *deadLine) wrong(name string) error {
	if d.torn {
		return fmt.Errorf("%s, line %d, the last one, is cut short, as by a crash: %w", name, d.line, d.err)
	}
	return fmt.Errorf("%s, line %d is no dead record: %w", name, d.line, d.err)
}

// deadLetters are the dead letter of a name and what has been put aside of it,
// oldest first; see [hydrant.DeadLetterFile].
func deadLetters(name string) (files []string, err error) {
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(filepath.Base(name), ext)
	aside := regexp.MustCompile(`^` + regexp.QuoteMeta(stem) + `-\d{8}T\d{6}\.\d{3}Z(-\d+)?` + regexp.QuoteMeta(ext) + `(\.gz|\.zst)?$`)
	found, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		if aside.MatchString(e.Name()) {
			files = append(files, filepath.Join(filepath.Dir(name), e.Name()))
		}
	}
	if _, err := os.Stat(name); err == nil {
		files = append(files, name)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return files, nil
}

// reserve makes an empty file of a name that no other has, for a rename to
// replace: name, or name.2 and so on.
func reserve(name string) (string, error) {
	free := name
	for n := 2; ; n++ {
		f, err := os.OpenFile(free, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			return free, f.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		free = fmt.Sprintf("%s.%d", name, n)
	}
}

// appendSynced appends what r has to a file.
func appendSynced(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close(), vfs.OS{}.SyncDir(filepath.Dir(name)))
}

// replaceSynced gives a file new contents, at once.
func replaceSynced(name string, data []byte) error {
	f, err := os.Create(name + ".tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return vfs.OS{}.SyncDir(filepath.Dir(name))
}
