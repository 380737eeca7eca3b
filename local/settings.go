package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hydrant-go/hydrant/internal/vfs"
	"github.com/hydrant-go/hydrant/server"
)

// settings is what is kept of a stream across restarts, beside its records. One
// that is in use is never changed: a change makes another.
type settings struct {
	server.Caller
	Name string
	// ID names the journal; a stream that is made again has another.
	ID          string
	Version     int // of the configuration, from 1
	Created     time.Time
	Updated     time.Time // zero: never
	Deleted     time.Time // when it began to be; zero: it is not
	Destination server.Destination
	Throughput  int          `json:",omitempty"` // ThroughputHintInMBs
	Tags        []server.Tag `json:",omitempty"` // by key
	Encryption  encryption
	Quota       *Quota `json:",omitempty"` // its own; nil: the Firehose's
}

// encryption is a stream's server-side encryption, which changes nothing here but
// what is told of it.
type encryption struct {
	On       bool
	KeyType  string      `json:",omitempty"`
	KeyARN   string      `json:",omitempty"`
	Since    time.Time   // when it was switched on or off
	Switches []time.Time `json:",omitempty"` // of the last 24 hours
}

func (s *settings) key() streamKey { return streamKey{s.Caller, s.Name} }

// settingsFile is the form of the file, with room for what comes later.
type settingsFile struct {
	Version int
	Streams []*settings
}

const (
	settingsName    = "streams.json"
	settingsVersion = 1
)

// loadSettings reads the settings in dir. There are none before the first stream.
func loadSettings(dir string) ([]*settings, error) {
	name := filepath.Join(dir, settingsName)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var file settingsFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w\nhint: mend it, or move it away to begin without streams", name, err)
	}
	if file.Version != settingsVersion {
		return nil, fmt.Errorf("%s is of version %d, this hydrant knows %d", name, file.Version, settingsVersion)
	}
	return file.Streams, nil
}

// saveSettings writes the settings in place of those before, all or nothing.
func saveSettings(dir string, list []*settings) error {
	slices.SortFunc(list, func(a, b *settings) int { return compareStreams(a.key(), b.key()) })
	return vfs.Replace(filepath.Join(dir, settingsName), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "\t")
		return enc.Encode(settingsFile{settingsVersion, list})
	})
}
