package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/deliver/file"
	"github.com/hydrant-go/hydrant/local/stacks"
	"github.com/hydrant-go/hydrant/server"
)

// openStacks opens CloudFormation, whose stacks go on with what they were at. What they
// call of the Firehose counts for no quota.
func (b *Backend) openStacks() (err error) {
	api := server.Config{Backend: b, AllowHTTP: b.cfg.AllowHTTP}
	cfg := stacks.Config{
		Logs: b.logs, Logger: b.log, Buckets: b.buckets(),
		Firehose: func(ctx context.Context, c awsapi.Caller, operation string, in []byte) ([]byte, error) {
			return api.Control(ctx, c, operation, in)
		},
	}
	if b.cfg.State != "" {
		cfg.Dir = filepath.Join(b.cfg.State, "stacks")
	}
	if b.stacks, err = stacks.Open(cfg); err != nil {
		return err
	}
	b.stacks.Start()
	return nil
}

// buckets is where buckets are: where objects are delivered to. Nil if that has none.
func (b *Backend) buckets() stacks.Buckets {
	switch d := b.dest.(type) {
	case stacks.Buckets:
		return d
	case *file.Dir:
		return folder{d}
	}
	return nil
}

// folder has its folders as buckets.
type folder struct{ dir *file.Dir }

var _ stacks.Buckets = folder{}

func (f folder) HasBucket(_ context.Context, name string) (bool, error) { return f.dir.HasBucket(name) }

func (f folder) MakeBucket(_ context.Context, name string) error { return f.dir.MakeBucket(name) }

func (f folder) RemoveBucket(_ context.Context, name string) error { return f.dir.RemoveBucket(name) }

func (f folder) EmptyBucket(ctx context.Context, name string) error {
	for o, err := range f.dir.Objects(name, func(string) bool { return ctx.Err() == nil }) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = f.dir.Remove(name, o.Key)
		}
		if err != nil {
			return fmt.Errorf("empty bucket %q: %w", name, err)
		}
	}
	return ctx.Err()
}

func (f folder) ReadObject(_ context.Context, bucket, key string, most int64) ([]byte, error) {
	o, _, err := f.dir.Open(bucket, key)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return io.ReadAll(io.LimitReader(o, most))
}
